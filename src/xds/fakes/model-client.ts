import type { DiscoveryResponse } from '../discovery-codec.ts';
import { type DeltaRequest, type RequestNode, type SotwRequest, WILDCARD_NAME } from '../discovery-requests.ts';
import { isCompleteType } from '../server/push-order.ts';
import { firstStringField } from '../wire.ts';

/** What the reference client knows of one type. */
export interface ModelType {
  isWildcard: boolean;
  readonly names: Set<string>;
  /** Accepted: name to version. */
  readonly held: Map<string, string>;
  /** Arrived and not yet answered. */
  unanswered: DiscoveryResponse | undefined;
  /** Of the last response that was answered on this stream. */
  answeredNonce: string;
  /** Names whose request must be answered, while nothing of the type has come since. */
  readonly owed: Set<string>;
  isKnownToServer: boolean;
  /** Everything was asked for by an empty first request, and no name has been sent since. */
  isLegacyWildcard: boolean;
}

export interface ModelRequest {
  readonly sotw: SotwRequest;
  readonly delta: DeltaRequest;
}

const EMPTY_NODE: Omit<RequestNode, 'id'> = {
  cluster: '',
  locality: { region: '', zone: '', subZone: '' },
  metadata: {},
  userAgentName: 'model',
  userAgentVersion: '',
  clientFeatures: [],
};

const ORDER = ['.Cluster', '.ClusterLoadAssignment', '.Listener', '.RouteConfiguration'];

/**
 * The reference: a client by the letter of the protocol, written as plainly as can be. It holds what it accepted, and says what is wrong
 * with a response that no right server would send.
 */
export class ModelClient {
  readonly types = new Map<string, ModelType>();
  readonly #isDelta: boolean;
  #isIdentified = false;
  /** On this stream: what was delivered last by `type name`, so that needless repetition is seen. */
  readonly #delivered = new Map<string, string>();
  /** SotW LDS/CDS: the last whole response, as text. */
  readonly #lastWhole = new Map<string, string>();

  constructor(isDelta: boolean) {
    this.#isDelta = isDelta;
  }

  type(typeUrl: string): ModelType {
    let type = this.types.get(typeUrl);
    if (type === undefined) {
      type = {
        isWildcard: false,
        names: new Set(),
        held: new Map(),
        unanswered: undefined,
        answeredNonce: '',
        owed: new Set(),
        isKnownToServer: false,
        isLegacyWildcard: false,
      };
      this.types.set(typeUrl, type);
    }
    return type;
  }

  /** Takes a response from the wire; throws on one that breaks a rule. */
  receive(response: DiscoveryResponse): void {
    const type = this.type(response.typeUrl);
    this.#refuseOutOfOrder(response, type);
    const versions = versionsOf(response);
    if (versions.size !== response.resources.length) throw new Error('a name twice in one response');
    const isWhole = !this.#isDelta && isCompleteType(response.typeUrl);
    if (isWhole) this.#refuseRepeatedWhole(response.typeUrl, versions);
    else this.#refuseRepeated(response, versions);
    // Changed clusters have their endpoints sent again.
    if (response.typeUrl.endsWith('.Cluster')) this.forgetDelivered('Assignment');
    type.unanswered = response;
    type.owed.clear();
  }

  /** What others refer to comes first, and clusters or assignments go only when nobody is still being told about others. */
  #refuseOutOfOrder({ typeUrl, removedNames }: DiscoveryResponse, type: ModelType): void {
    const position = ORDER.findIndex((part) => typeUrl.endsWith(part));
    const isWithdrawal = position < 2 && removedNames.some((name) => type.held.has(name));
    for (const [other, { unanswered }] of this.types) {
      const isBefore = isWithdrawal || ORDER.findIndex((part) => other.endsWith(part)) <= position;
      // Endpoints warm the clusters that are being answered for: they alone may come meanwhile.
      if (!isWithdrawal && typeUrl.endsWith('Assignment') && other.endsWith('.Cluster')) continue;
      if (isBefore && unanswered !== undefined) throw new Error(`${typeUrl} sent while ${other} is unanswered`);
    }
  }

  #refuseRepeatedWhole(typeUrl: string, versions: ReadonlyMap<string, string>): void {
    const text = [...versions]
      .map(([name, version]) => `${name}=${version}`)
      .sort()
      .join();
    if (this.#lastWhole.get(typeUrl) === text) throw new Error(`${typeUrl} sent again unchanged`);
    this.#lastWhole.set(typeUrl, text);
  }

  #refuseRepeated({ typeUrl, removedNames }: DiscoveryResponse, versions: ReadonlyMap<string, string>): void {
    for (const [name, version] of versions) {
      const key = `${typeUrl} ${name}`;
      if (this.#delivered.get(key) === version) throw new Error(`${key} version ${version} sent again unchanged`);
      this.#delivered.set(key, version);
    }
    for (const name of removedNames) this.#delivered.delete(`${typeUrl} ${name}`);
  }

  /** From now on a repetition is no surprise. */
  forgetDelivered(part: string): void {
    for (const key of this.#delivered.keys()) if (key.includes(part)) this.#delivered.delete(key);
    for (const key of this.#lastWhole.keys()) if (key.includes(part)) this.#lastWhole.delete(key);
  }

  /** Accepts or refuses the response at hand; the request to send, or undefined when there is nothing to answer. */
  answer(typeUrl: string, isGood: boolean): ModelRequest | undefined {
    const type = this.type(typeUrl);
    const response = type.unanswered;
    if (response === undefined) return undefined;
    type.unanswered = undefined;
    type.answeredNonce = response.nonce;
    if (isGood) this.#accept(type, response);
    return this.request(typeUrl, { nonce: response.nonce, errorDetail: isGood ? undefined : 'refused' });
  }

  #accept(type: ModelType, response: DiscoveryResponse): void {
    if (!this.#isDelta && isCompleteType(response.typeUrl)) type.held.clear();
    for (const [name, version] of versionsOf(response)) {
      if (type.isWildcard || type.names.has(name)) type.held.set(name, version);
    }
    for (const name of response.removedNames) type.held.delete(name);
  }

  subscribe(typeUrl: string, name: string): ModelRequest {
    const type = this.type(typeUrl);
    const isNew = name === WILDCARD_NAME ? !type.isWildcard : !type.names.has(name);
    if (name === WILDCARD_NAME) type.isWildcard = true;
    else type.names.add(name);
    // In delta, asking for a name again asks for it to be sent again.
    if (isNew || (this.#isDelta && name !== WILDCARD_NAME)) type.owed.add(name);
    this.forgetDelivered(typeUrl);
    if (name !== WILDCARD_NAME) type.isLegacyWildcard = false;
    else if (!type.isKnownToServer && isCompleteType(typeUrl)) {
      type.isLegacyWildcard = true;
      return this.request(typeUrl, {});
    }
    return this.request(typeUrl, { subscribe: [name] });
  }

  unsubscribe(typeUrl: string, name: string): ModelRequest {
    const type = this.type(typeUrl);
    type.isLegacyWildcard = false;
    if (name === WILDCARD_NAME) type.isWildcard = false;
    else type.names.delete(name);
    type.owed.delete(name);
    for (const held of [...type.held.keys()]) {
      const isCovered = type.isWildcard || type.names.has(held);
      // In delta, a name that the wildcard still covers is dropped too: the server owes its state.
      if (!isCovered || (this.#isDelta && name === held)) type.held.delete(held);
    }
    this.forgetDelivered(typeUrl);
    return this.request(typeUrl, { unsubscribe: [name] });
  }

  stale(typeUrl: string): ModelRequest {
    return this.request(typeUrl, { nonce: 'of no response' });
  }

  /** A new stream: the first requests of all types that are subscribed. */
  reconnect(): ModelRequest[] {
    this.#isIdentified = false;
    this.#delivered.clear();
    this.#lastWhole.clear();
    const requests: ModelRequest[] = [];
    for (const [typeUrl, type] of this.types) {
      type.unanswered = undefined;
      type.answeredNonce = '';
      type.isKnownToServer = false;
      type.owed.clear();
      if (!type.isWildcard && type.names.size === 0) continue;
      for (const name of subscription(type)) type.owed.add(name);
      requests.push(this.request(typeUrl, { subscribe: subscription(type), isResumed: true }));
    }
    return requests;
  }

  request(
    typeUrl: string,
    change: {
      nonce?: string;
      errorDetail?: string | undefined;
      subscribe?: string[];
      unsubscribe?: string[];
      isResumed?: boolean;
    },
  ): ModelRequest {
    const type = this.type(typeUrl);
    const node = this.#isIdentified ? undefined : { ...EMPTY_NODE, id: 'model' };
    this.#isIdentified = true;
    type.isKnownToServer = true;
    const { errorDetail, subscribe = [], unsubscribe = [] } = change;
    return {
      sotw: {
        typeUrl,
        node,
        versionInfo: '',
        resourceNames: subscription(type),
        responseNonce: change.nonce ?? type.answeredNonce,
        errorDetail,
      },
      delta: {
        typeUrl,
        node,
        subscribe,
        unsubscribe,
        initialResourceVersions: change.isResumed ? new Map(type.held) : new Map(),
        responseNonce: change.nonce ?? '',
        errorDetail,
      },
    };
  }
}

function subscription(type: ModelType): string[] {
  if (type.isLegacyWildcard) return [];
  return type.isWildcard ? [WILDCARD_NAME, ...type.names] : [...type.names];
}

function versionsOf(response: DiscoveryResponse): ReadonlyMap<string, string> {
  return new Map(
    response.resources.map(({ name, message }) => [name ?? firstStringField(message) ?? '', versionIn(message)]),
  );
}

/** The fakes write a resource's version into its last field. */
function versionIn(message: Buffer): string {
  const tag = (15 << 3) | 2;
  const at = message.lastIndexOf(tag);
  return message.toString('utf8', at + 2);
}
