import { compactVerify, importJWK } from 'jose';
import type { JsonWebKey } from '../../../resource/jwt-authn.ts';
import type { Jwt } from './jwt.ts';
import { JWT_FAILURE, type JwtFailure } from './jwt-failure.ts';

type VerifyingKey = Awaited<ReturnType<typeof importJWK>>;

/** The keys of one provider, each made ready when a token first needs it. */
export class KeySet {
  readonly #keys: readonly JsonWebKey[];
  /** By key and algorithm: both are bounded. */
  readonly #ready = new Map<string, Promise<VerifyingKey>>();

  constructor(keys: readonly JsonWebKey[]) {
    this.#keys = keys;
  }

  /** Envoy's choice: keys of the token's name (or without one) that are not for another algorithm, until one verifies. */
  async verify({ text, algorithm, keyId }: Jwt): Promise<JwtFailure | undefined> {
    let failure: JwtFailure = this.#keys.length === 0 ? JWT_FAILURE.noValidKeys : JWT_FAILURE.noKey;
    for (const [index, key] of this.#keys.entries()) {
      const { kid = '', alg = algorithm } = key;
      if ((keyId !== '' && kid !== '' && kid !== keyId) || alg !== algorithm || !fits(key, algorithm)) continue;
      failure = JWT_FAILURE.notVerified;
      try {
        await compactVerify(text, await this.#keyFor(index, key, algorithm), { algorithms: [algorithm] });
        return undefined;
      } catch {
        // Another key may fit; a key that cannot be used verifies nothing.
      }
    }
    return failure;
  }

  #keyFor(index: number, key: JsonWebKey, algorithm: string): Promise<VerifyingKey> {
    const place = `${index}/${algorithm}`;
    let ready = this.#ready.get(place);
    if (ready === undefined) {
      ready = importJWK(key, algorithm);
      this.#ready.set(place, ready);
    }
    return ready;
  }
}

/** A key is used with algorithms of its own kind only: a public key is no secret for an HMAC (RFC 8725 §3.1). */
function fits({ kty }: JsonWebKey, algorithm: string): boolean {
  return KINDS[algorithm.slice(0, 2)] === kty;
}

const KINDS: Readonly<Record<string, string>> = { RS: 'RSA', PS: 'RSA', ES: 'EC', Ed: 'OKP', HS: 'oct' };
