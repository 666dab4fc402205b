import type { JwtAuthnConfig, JwtRequirement } from '../../../resource/jwt-authn.ts';
import { requestValue } from '../effective-fields.ts';
import type { FilterContext } from '../filter-context.ts';
import type { CompiledFilter, FilterStream } from '../filter-stream.ts';
import { plainReply } from '../local-replies.ts';
import { acceptTokens } from './accepted-tokens.ts';
import { denial } from './denial.ts';
import { JwtCounters } from './jwt-counters.ts';
import { keySourceOf } from './key-source.ts';
import { providersOf, type Verification, verify } from './requirement.ts';
import { compileRules, type RuleFinder } from './rules.ts';
import { findTokens } from './token-locations.ts';
import { TokenVerifier } from './token-verifier.ts';

/** What all routes of a chain share. */
interface Shared {
  readonly name: string;
  readonly config: JwtAuthnConfig;
  readonly turn: FilterContext['turn'];
  readonly counters: JwtCounters;
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  readonly payloadHeaders: readonly string[];
}

/** envoy.filters.http.jwt_authn: requests show tokens that their rule's providers have signed, or are answered 401. */
export function createJwtAuthn(name: string, config: JwtAuthnConfig, context: FilterContext): CompiledFilter {
  const counters = new JwtCounters(context.metrics, context.statPrefix);
  const providers = [...config.providers.values()];
  const verifiers = providers.map((provider) => {
    const keys = keySourceOf(provider.keys, context, counters);
    return [provider.name, new TokenVerifier(provider, keys, counters.cache)] as const;
  });
  const payloadHeaders = providers.map((provider) => provider.forwardPayloadHeader).filter((header) => header !== '');
  const shared = { name, config, turn: context.turn, counters, verifiers: new Map(verifiers), payloadHeaders };
  return new JwtAuthn(shared, compileRules(config.rules));
}

class JwtAuthn implements CompiledFilter {
  readonly name: string;
  readonly #shared: Shared;
  readonly #config: JwtAuthnConfig;
  readonly #counters: JwtCounters;
  readonly #requirementOf: RuleFinder;
  /** Requests whose tokens are being verified. The object tells a stream's next request from the one that asked. */
  readonly #pending = new Map<FilterStream, object>();

  constructor(shared: Shared, requirementOf: RuleFinder) {
    this.name = shared.name;
    this.#shared = shared;
    this.#config = shared.config;
    this.#counters = shared.counters;
    this.#requirementOf = requirementOf;
  }

  onRequestHead(stream: FilterStream): 'continue' | 'stop' {
    // What a client puts there itself must not pass for what a provider signed.
    for (const header of this.#shared.payloadHeaders) stream.requestEdits.remove(stream.head.fields, header);
    if (this.#config.bypassCorsPreflight && isCorsPreflight(stream)) {
      this.#counters.corsPreflightBypassed.increment();
      return 'continue';
    }
    const requirement = this.#requirementOf(stream);
    if (requirement === undefined) return this.#refuseWrongName(stream);
    if (requirement.kind === 'none') {
      this.#counters.allowed.increment();
      return 'continue';
    }
    this.#verify(stream, requirement);
    return 'stop';
  }

  onStreamEnd(stream: FilterStream): void {
    this.#pending.delete(stream);
  }

  forRoute([own]: Parameters<NonNullable<CompiledFilter['forRoute']>>[0]): CompiledFilter {
    if (own?.kind !== 'jwtAuthn') return this;
    const requirement = this.#config.requirements.get(own.requirementName);
    return new JwtAuthn(this.#shared, () => requirement);
  }

  /** A route that refers to a requirement which is not there. Nobody passes. */
  #refuseWrongName(stream: FilterStream): 'stop' {
    this.#counters.denied.increment();
    const body = 'Failed JWT authentication: Wrong requirement_name';
    stream.sendLocalReply(plainReply(403, 'jwt_authn_access_denied{wrong_requirement_name}', body), '');
    return 'stop';
  }

  #verify(stream: FilterStream, requirement: JwtRequirement): void {
    const ticket = {};
    this.#pending.set(stream, ticket);
    const names = providersOf(requirement, this.#config.providers.keys());
    const providers = [...names].flatMap((name) => this.#config.providers.get(name) ?? []);
    const tokens = new Map(providers.map((provider) => [provider.name, findTokens(stream, provider)]));
    const { turn, verifiers } = this.#shared;
    const evidence = { tokens, verifiers, wallMs: turn.clock.wallMs() };
    const settle = (finish: () => void): void => {
      if (this.#pending.get(stream) !== ticket) return;
      this.#pending.delete(stream);
      // Outside of any event of a socket: the turn begins here.
      turn.enter();
      try {
        finish();
      } catch (error) {
        turn.reportUnexpected(error);
      } finally {
        turn.leave();
      }
    };
    verify(requirement, evidence).then(
      (verification) => settle(() => this.#finish(stream, verification)),
      (error: unknown) =>
        settle(() => {
          turn.reportUnexpected(error);
          this.#finish(stream, 'Jwt verification fails');
        }),
    );
  }

  #finish(stream: FilterStream, verification: Verification): void {
    if (typeof verification === 'string') {
      this.#counters.denied.increment();
      const { reply, challenge } = denial(verification, stream, this.#config.stripFailureResponse);
      if (challenge !== '') stream.responseEdits.add('www-authenticate', challenge);
      stream.sendLocalReply(reply, '');
      return;
    }
    this.#counters.allowed.increment();
    acceptTokens(stream, verification);
    stream.continueRequest();
  }
}

function isCorsPreflight(stream: FilterStream): boolean {
  const has = (name: string): boolean => (requestValue(stream, name) ?? '') !== '';
  return stream.head.method === 'OPTIONS' && has('origin') && has('access-control-request-method');
}
