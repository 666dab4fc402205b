import { type Random, seededRandom } from '../../../src/base/random.ts';
import type { ChainCase, ChainQuestion, WrittenEntry } from './chain-case.ts';

/** Combinations of entries over four services that refer to each other. The same seed makes the same cases. */
export function generatedCases(seed: number, count: number): readonly ChainCase[] {
  return Array.from({ length: count }, (_, at) => new Draw(seededRandom(seed + at)).chainCase(`generated ${at}`));
}

const SERVICES = ['web', 'api', 'cart', 'pay'] as const;
type Service = (typeof SERVICES)[number];

const SUBSETS = ['v1', 'v2', 'canary'] as const;
const PROTOCOLS = ['http', 'http2', 'grpc', 'tcp'] as const;
/** Whose products are exact in two decimals, in whatever order nested ones are multiplied. */
const PLAIN_WEIGHTS = [[100], [50, 50], [25, 75], [0, 100]] as const;
const ANY_WEIGHTS = [...PLAIN_WEIGHTS, [33.33, 33.33, 33.34], [99.99, 0.01], [90, 5, 5], [1.5, 98.5]] as const;

class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chainCase(name: string): ChainCase {
    const entries = [...this.#defaults(), ...this.#resolvers(), ...this.#splitters(), ...this.#routers()];
    return { name, entries, questions: this.#questions() };
  }

  /** One protocol for all, from the mesh or from each service, and now and then a service that differs. */
  #defaults(): readonly WrittenEntry[] {
    const protocol = this.#chance(0.85) ? this.#one(['http', 'http2', 'grpc'] as const) : 'tcp';
    const forAll = this.#chance(0.5);
    const odd = this.#chance(0.12) ? this.#one(SERVICES) : undefined;
    const mesh: WrittenEntry = {
      Kind: 'proxy-defaults',
      Name: 'global',
      ...(forAll ? { Config: { protocol, local_connect_timeout_ms: 1000 } } : {}),
      ...(this.#chance(0.15) ? { MeshGateway: { Mode: this.#one(['local', 'remote', 'none']) } } : {}),
      ...(this.#chance(0.1) ? { TransparentProxy: { DialedDirectly: true } } : {}),
    };
    const services = SERVICES.filter((service) => !forAll || service === odd || this.#chance(0.2));
    return [
      ...(forAll || this.#chance(0.2) ? [mesh] : []),
      ...services.map((service) => this.#service(service, service === odd ? this.#one(PROTOCOLS) : protocol)),
    ];
  }

  #service(Name: Service, Protocol: string): WrittenEntry {
    return {
      Kind: 'service-defaults',
      Name,
      ...(this.#chance(0.95) ? { Protocol } : {}),
      ...(this.#chance(0.1) ? { MeshGateway: { Mode: this.#one(['local', 'remote', 'none']) } } : {}),
      ...(this.#chance(0.1) ? { Meta: { owner: 'a-team' } } : {}),
      ...(this.#chance(0.04) ? { ExternalSNI: `${Name}.example.com` } : {}),
      ...(this.#chance(0.1) ? { UpstreamConfig: { Defaults: { ConnectTimeoutMs: 1234 } } } : {}),
    };
  }

  #resolvers(): readonly WrittenEntry[] {
    return SERVICES.filter(() => this.#chance(0.85)).map((Name) => {
      const Subsets = this.#chance(0.9)
        ? Object.fromEntries(SUBSETS.filter(() => this.#chance(0.97)).map((subset) => [subset, this.#subset(subset)]))
        : {};
      const known = Object.keys(Subsets);
      const fate = this.#one(['plain', 'plain', 'redirect', 'failover', 'failover'] as const);
      return {
        Kind: 'service-resolver',
        Name,
        ...(known.length === 0 ? {} : { Subsets }),
        ...(known.length > 0 && this.#chance(0.4) ? { DefaultSubset: this.#one(known) } : {}),
        ...(fate === 'redirect' ? { Redirect: this.#redirect(Name) } : {}),
        ...(fate === 'failover' ? { Failover: this.#failover(Name, known) } : {}),
        ...(this.#chance(0.3) ? { ConnectTimeout: this.#one(['250ms', '1s', '5s', '15s', '1m30s']) } : {}),
        ...(this.#chance(0.3) ? { RequestTimeout: this.#one(['500ms', '10s', '0s', '2m0s']) } : {}),
        ...(this.#chance(0.4) ? { LoadBalancer: this.#loadBalancer() } : {}),
      };
    });
  }

  #subset(name: string): object {
    return {
      ...(this.#chance(0.9) ? { Filter: `Service.Meta.version == ${name}` } : {}),
      ...(this.#chance(0.3) ? { OnlyPassing: true } : {}),
    };
  }

  #redirect(own: Service): object {
    const Service = this.#one(SERVICES.filter((service) => service !== own));
    return this.#one([
      { Service },
      { Service, ServiceSubset: this.#one(SUBSETS) },
      { Service, Datacenter: 'dc2' },
      { Datacenter: this.#one(['dc1', 'dc2']) },
      { Service: `${own}-old` },
    ]);
  }

  #failover(own: Service, known: readonly string[]): object {
    const keys = ['*', ...known].filter((key) => this.#chance(key === '*' ? 0.8 : 0.4));
    return Object.fromEntries((keys.length === 0 ? ['*'] : keys).map((key) => [key, this.#failoverRule(own, known)]));
  }

  #failoverRule(own: Service, known: readonly string[]): object {
    const Service = this.#one(SERVICES.filter((service) => service !== own));
    const target = (): object =>
      this.#one([
        { Service },
        { Service: this.#one(SERVICES), Datacenter: this.#one(['dc1', 'dc2', 'dc3']) },
        { Datacenter: 'dc2' },
        known.length > 0 ? { ServiceSubset: this.#one(known) } : { Service: `${own}-spare` },
        { Service, ServiceSubset: this.#one(SUBSETS) },
        { Peer: 'partner' },
      ]);
    return this.#one([
      { Service },
      { Datacenters: ['dc2', 'dc3'] },
      { Service, Datacenters: ['dc1', 'dc2'] },
      known.length > 0 ? { ServiceSubset: this.#one(known) } : { Service },
      { Targets: [target(), target(), target()].slice(0, 1 + Math.floor(this.#random.next() * 3)) },
    ]);
  }

  #loadBalancer(): object {
    const hashes = [
      { Field: 'header', FieldValue: 'x-user', ...(this.#chance(0.5) ? { Terminal: true } : {}) },
      { Field: 'cookie', FieldValue: 'sid', ...(this.#chance(0.7) ? { CookieConfig: this.#cookie() } : {}) },
      { Field: 'query_parameter', FieldValue: 'id' },
      { SourceIP: true },
    ].filter(() => this.#chance(0.5));
    const HashPolicies = hashes.length === 0 ? {} : { HashPolicies: hashes };
    return this.#one([
      { Policy: 'random' },
      { Policy: 'round_robin' },
      { Policy: 'least_request', LeastRequestConfig: { ChoiceCount: 3 } },
      { Policy: 'ring_hash', RingHashConfig: { MinimumRingSize: 512 }, ...HashPolicies },
      { Policy: 'maglev', ...HashPolicies },
    ]);
  }

  #cookie(): object {
    return this.#one([{ Session: true }, { TTL: '10s', Path: '/p' }, { TTL: '1h' }]);
  }

  #splitters(): readonly WrittenEntry[] {
    return SERVICES.filter(() => this.#chance(0.4)).map((Name) => {
      const weights = this.#one<readonly number[]>(Name === 'pay' ? ANY_WEIGHTS : PLAIN_WEIGHTS);
      return { Kind: 'service-splitter', Name, Splits: weights.map((weight, at) => this.#split(Name, weight, at)) };
    });
  }

  #split(own: Service, Weight: number, at: number): object {
    const others = SERVICES.filter((service) => service !== own);
    const Service = own === 'pay' ? 'pay' : (others[(at + Math.floor(this.#random.next() * 2)) % others.length] ?? own);
    const named = this.#one([
      { Service: at === 0 ? own : Service },
      { Service, ServiceSubset: this.#one(SUBSETS) },
      at === 0 ? {} : { Service },
    ]);
    return {
      Weight,
      ...named,
      ...(this.#chance(0.3) ? { RequestHeaders: this.#headers('q') } : {}),
      ...(this.#chance(0.3) ? { ResponseHeaders: this.#headers('s') } : {}),
    };
  }

  /** All three parts: Consul 1.22 breaks down over nested splits where the outer one lacks a part that the inner one has. */
  #headers(mark: string): object {
    return {
      Add: { [`x-${mark}-${this.#digit()}`]: this.#digit() },
      Set: { [`y-${mark}-${this.#digit()}`]: this.#digit() },
      Remove: [`z-${mark}-${this.#digit()}`],
    };
  }

  #routers(): readonly WrittenEntry[] {
    return SERVICES.filter((service) => this.#chance(service === 'web' ? 0.6 : 0.15)).map((Name) => ({
      Kind: 'service-router',
      Name,
      Routes: Array.from({ length: Math.floor(this.#random.next() * 4) }, () => this.#route()),
    }));
  }

  #route(): object {
    const path = this.#one([{}, { PathExact: '/a' }, { PathPrefix: '/b/' }, { PathRegex: '/c/[0-9]+' }]);
    const HTTP = {
      ...path,
      ...(this.#chance(0.2) ? { CaseInsensitive: true } : {}),
      ...(this.#chance(0.3) ? { Header: [this.#header(), this.#header()].slice(this.#chance(0.6) ? 1 : 0) } : {}),
      ...(this.#chance(0.2)
        ? {
            QueryParam: [
              this.#one([
                { Name: 'q', Present: true },
                { Name: 'q', Exact: '1' },
                { Name: 'q', Regex: 'a+' },
              ]),
            ],
          }
        : {}),
      ...(this.#chance(0.2) ? { Methods: this.#one([['GET'], ['put', 'POST'], ['DELETE', 'HEAD', 'OPTIONS']]) } : {}),
    };
    const canRewrite = 'PathExact' in path || 'PathPrefix' in path;
    return {
      ...(this.#chance(0.9) ? { Match: { HTTP } } : {}),
      ...(this.#chance(0.9) ? { Destination: this.#destination(canRewrite) } : {}),
    };
  }

  #header(): object {
    const way = this.#one([{ Present: true }, { Exact: 'e' }, { Prefix: 'p' }, { Suffix: 's' }, { Regex: 'r.*' }]);
    return { Name: this.#one(['x-a', 'X-B']), ...way, ...(this.#chance(0.3) ? { Invert: true } : {}) };
  }

  #destination(canRewrite: boolean): object {
    return {
      ...(this.#chance(0.8) ? { Service: this.#one(SERVICES) } : {}),
      ...(this.#chance(0.25) ? { ServiceSubset: this.#one(SUBSETS) } : {}),
      ...(canRewrite && this.#chance(0.4) ? { PrefixRewrite: this.#one(['/', '/new', '/new/']) } : {}),
      ...(this.#chance(0.3) ? { RequestTimeout: this.#one(['1s', '250ms', '-1s']) } : {}),
      ...(this.#chance(0.2) ? { IdleTimeout: this.#one(['5s', '-1s']) } : {}),
      ...(this.#chance(0.3) ? { NumRetries: 1 + Math.floor(this.#random.next() * 4) } : {}),
      ...(this.#chance(0.2) ? { RetryOnConnectFailure: true } : {}),
      ...(this.#chance(0.2)
        ? { RetryOn: this.#one([['5xx'], ['connect-failure', 'gateway-error'], ['unavailable']]) }
        : {}),
      ...(this.#chance(0.2) ? { RetryOnStatusCodes: [500, 503] } : {}),
      ...(this.#chance(0.2) ? { RequestHeaders: this.#headers('rq') } : {}),
      ...(this.#chance(0.2) ? { ResponseHeaders: this.#headers('rs') } : {}),
    };
  }

  #questions(): readonly ChainQuestion[] {
    const plain = SERVICES.map((service): ChainQuestion => ({ service }));
    const overrides = this.#one([
      { OverrideProtocol: this.#one(PROTOCOLS) },
      { OverrideConnectTimeout: this.#one(['1s', '5s', '42s']) },
      { OverrideMeshGateway: { Mode: this.#one(['none', 'local', 'remote']) } },
    ]);
    return [...plain, { service: 'web', overrides }, { service: this.#one(SERVICES), datacenter: 'dc2' }];
  }

  #digit(): string {
    return String(Math.floor(this.#random.next() * 3));
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #one<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.#random.next() * choices.length)];
    if (chosen === undefined) throw new Error('nothing to choose from');
    return chosen;
  }
}
