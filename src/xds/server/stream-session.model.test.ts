import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import {
  CLUSTER_TYPE as CDS,
  CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS,
  LISTENER_TYPE as LDS,
  ROUTE_CONFIGURATION_TYPE as RDS,
} from '../../resource/type-url.ts';
import { decodeDeltaResponse, decodeSotwResponse } from '../discovery-codec.ts';
import { WILDCARD_NAME } from '../discovery-requests.ts';
import { controlPlaneMessage } from '../discovery-responses.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { ModelClient, type ModelRequest } from '../fakes/model-client.ts';
import { Admission } from './admission.ts';
import { newServerCounters } from './server-state.ts';
import { DEFAULT_STREAM_LIMITS } from './stream-limits.ts';
import { type SessionContext, type StreamOutput, StreamSession } from './stream-session.ts';
import { DELTA, SOTW } from './variant.ts';

const TYPES = [CDS, EDS, LDS, RDS] as const;
type Action = 'subscribe' | 'unsubscribe' | 'ack' | 'nack' | 'stale' | 'reconnect' | 'change' | 'delete';

interface Command {
  readonly action: Action;
  readonly typeUrl: (typeof TYPES)[number];
  readonly name: string;
}

const command: fc.Arbitrary<Command> = fc.record({
  action: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Action>('subscribe', 'change', 'ack') },
    { weight: 1, arbitrary: fc.constantFrom<Action>('unsubscribe', 'nack', 'stale', 'delete', 'reconnect') },
  ),
  typeUrl: fc.constantFrom(...TYPES),
  name: fc.constantFrom('a', 'b', 'c', WILDCARD_NAME),
});

/** A server session, the reference client at its other end, and the state that the source intends. */
class World {
  readonly client: ModelClient;
  readonly intended = new Map<string, Map<string, string>>(TYPES.map((typeUrl) => [typeUrl, new Map()]));
  readonly #isDelta: boolean;
  readonly #source = new MemorySource();
  readonly #context: SessionContext;
  #session: { onRequest(request: ModelRequest): void; close(): void };
  #versions = 0;
  /** Since the last time everything was in step; while true a client may rightly hold something else. */
  hasRefused = false;

  constructor(isDelta: boolean) {
    this.#isDelta = isDelta;
    this.client = new ModelClient(isDelta);
    this.#context = {
      source: this.#source,
      clock: systemClock,
      limits: DEFAULT_STREAM_LIMITS,
      counters: newServerCounters(),
      admission: new Admission(8),
      controlPlane: controlPlaneMessage('test'),
      onRejected: () => {},
    };
    this.#session = this.#open();
    this.#publish();
  }

  run({ action, typeUrl, name }: Command): void {
    const isWildcardName = name === WILDCARD_NAME;
    if (action === 'subscribe') this.#send(this.client.subscribe(typeUrl, name));
    else if (action === 'unsubscribe') {
      // While a SotW response is on its way, requests carry a stale nonce, and a name that goes and returns meanwhile goes unnoticed.
      while (!this.#isDelta && this.answer(typeUrl, true));
      // And what an empty list asked for, no empty list can end.
      if (!this.#isDelta && this.client.type(typeUrl).isLegacyWildcard && isWildcardName) return;
      // As a first request it would mean "everything".
      if (this.client.type(typeUrl).isKnownToServer) this.#send(this.client.unsubscribe(typeUrl, name));
    } else if (action === 'ack' || action === 'nack') this.answer(typeUrl, action === 'ack');
    else if (action === 'stale') {
      if (this.client.type(typeUrl).isKnownToServer) this.#send(this.client.stale(typeUrl));
    } else if (action === 'reconnect') this.#reconnect();
    else if (action === 'delete') {
      this.intended.get(typeUrl)?.delete(name);
      this.#publish();
    } else if (!isWildcardName) this.change(typeUrl, name);
  }

  change(typeUrl: string, name: string): void {
    this.#versions += 1;
    this.intended.get(typeUrl)?.set(name, `v${this.#versions}`);
    this.#publish();
  }

  answer(typeUrl: string, isGood: boolean): boolean {
    const request = this.client.answer(typeUrl, isGood);
    if (request === undefined) return false;
    if (!isGood) this.hasRefused = true;
    this.#send(request);
    return true;
  }

  /** Accepts everything until nothing more comes. */
  settle(): void {
    for (let round = 0; round < 100; round += 1) {
      if (!TYPES.map((typeUrl) => this.answer(typeUrl, true)).includes(true)) return;
    }
    throw new Error('the server never comes to rest');
  }

  #publish(): void {
    this.#source.set(
      [...this.intended].flatMap(([typeUrl, resources]) =>
        [...resources].map(([name, version]) => namedResource(typeUrl, name, version)),
      ),
    );
  }

  #reconnect(): void {
    this.#session.close();
    this.#session = this.#open();
    for (const request of this.client.reconnect()) this.#send(request);
  }

  #send(request: ModelRequest): void {
    this.#session.onRequest(request);
  }

  #open(): { onRequest(request: ModelRequest): void; close(): void } {
    const identity = { streamId: 1, peer: 'test', certifiedUris: [], onlyType: undefined };
    const decode = this.#isDelta ? decodeDeltaResponse : decodeSotwResponse;
    const output: StreamOutput = {
      send: (bytes) => {
        this.client.receive(decode(bytes));
        return true;
      },
      end: ({ message }) => {
        throw new Error(`the stream was ended: ${message}`);
      },
    };
    if (this.#isDelta) {
      const session = new StreamSession(DELTA, identity, this.#context, output);
      return { onRequest: ({ delta }) => session.onRequest(delta), close: () => session.close() };
    }
    const session = new StreamSession(SOTW, identity, this.#context, output);
    return { onRequest: ({ sotw }) => session.onRequest(sotw), close: () => session.close() };
  }
}

/** What the client should hold in the end: exactly what is intended of what it asked for. */
function expectInStep(world: World, isDelta: boolean): void {
  for (const [typeUrl, type] of world.client.types) {
    const intended = world.intended.get(typeUrl) ?? new Map<string, string>();
    const wanted = [...intended].filter(([name]) => type.isWildcard || type.names.has(name));
    // In SotW no response deletes a route or an assignment: the client drops it when nothing refers to it.
    const canLinger = !isDelta && (typeUrl === EDS || typeUrl === RDS);
    const held = [...type.held].filter(([name]) => !canLinger || intended.has(name));
    expect(new Map(held), typeUrl).toEqual(new Map(wanted));
    expect(type.owed, `${typeUrl}: a subscription was never answered`).toEqual(new Set());
  }
}

test.each([
  ['SotW', false],
  ['delta', true],
])(
  '%s: after any history the client holds what is intended, and was sent nothing twice or out of order',
  (_name, isDelta) => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const world = new World(isDelta);
        for (const next of commands) world.run(next);
        world.settle();
        if (!world.hasRefused) expectInStep(world, isDelta);
        // What was refused is repaired by another version of it.
        for (const [typeUrl, resources] of world.intended)
          for (const name of resources.keys()) world.change(typeUrl, name);
        world.settle();
        expectInStep(world, isDelta);
      }),
      { numRuns: 3000 },
    );
  },
);
