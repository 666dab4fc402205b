import https from 'node:https';
import Consul from 'consul';
import { type ConsulAccess, type TlsMaterial, tlsMaterialSource, tokenSource } from './consul-access.ts';
import { ConsulError, statusError, unreachableError } from './consul-error.ts';

/** A question that is asked once must not keep anyone waiting: a console shows what it has. */
const ANSWER_WITHIN_MS = 2_000;

interface KeptClient {
  readonly address: string;
  readonly token: string | undefined;
  readonly material: TlsMaterial;
  readonly client: Consul;
}

/** Consul's own client for Node, for questions that are asked once: at the address, with the token and certificates of now. */
export class ConsulClients {
  readonly #access: ConsulAccess;
  readonly #token: () => string | undefined;
  readonly #material: () => TlsMaterial;
  #kept: KeptClient | undefined;

  /** Throws, naming the variable, where a file cannot be read at first. */
  constructor(access: ConsulAccess, nowMs: () => number) {
    this.#access = access;
    this.#token = tokenSource(access, nowMs);
    this.#material = tlsMaterialSource(access.tls ?? {}, nowMs);
  }

  /** Rejects with a ConsulError that says what to do. `where` names the question. */
  async ask(address: string, where: string, question: (client: Consul) => Promise<unknown>): Promise<unknown> {
    try {
      return await question(this.#clientOf(address));
    } catch (error) {
      throw explained(`${address}${where}`, error);
    }
  }

  close(): void {
    this.#kept?.client.destroy();
    this.#kept = undefined;
  }

  #clientOf(address: string): Consul {
    const token = this.#token();
    const material = this.#material();
    const kept = this.#kept;
    if (kept?.address === address && kept.token === token && kept.material === material) return kept.client;
    this.close();
    const client = new Consul(this.#optionsOf(new URL(address), token, material));
    this.#kept = { address, token, material, client };
    return client;
  }

  #optionsOf(url: URL, token: string | undefined, material: TlsMaterial): ConstructorParameters<typeof Consul>[0] {
    const { datacenter, partition, namespace } = this.#access;
    const secure = url.protocol === 'https:';
    const defaults = {
      ...(token === undefined ? {} : { token }),
      ...(datacenter === undefined || datacenter === '' ? {} : { dc: datacenter }),
      ...(partition === undefined || partition === '' ? {} : { partition }),
    };
    const options = {
      host: url.hostname,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      secure,
      timeout: ANSWER_WITHIN_MS,
      defaults,
      // The client knows no namespaces; Consul takes them as a header, too.
      headers: namespace === undefined || namespace === '' ? {} : { 'X-Consul-Namespace': namespace },
      ...(secure ? { agent: new https.Agent({ keepAlive: true, ...material }) } : {}),
    };
    return options;
  }
}

function explained(where: string, error: unknown): ConsulError {
  if (error instanceof ConsulError) return error;
  const response: unknown = error instanceof Error ? Reflect.get(error, 'response') : undefined;
  if (typeof response !== 'object' || response === null) return unreachableError(where, error);
  const status: unknown = Reflect.get(response, 'statusCode');
  const body: unknown = Reflect.get(response, 'body');
  return typeof status === 'number'
    ? statusError(where, status, typeof body === 'string' ? body : '', undefined)
    : unreachableError(where, error);
}
