import protobuf from 'protobufjs';
import { vi } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { FaultCollector } from '../../../src/resource/fault.ts';
import { MessageReader } from '../../../src/resource/message-reader.ts';
import { fullNameOf, messageType, protoRoot } from '../../../src/resource/protos.ts';
import { ALL_EXTENSIONS, decodeResource } from '../../../src/resource/resource.ts';
import { ROUTE_FILTER_DECODERS } from '../../../src/resource/route-filter-config-decode.ts';
import { RESOURCE_TYPES } from '../../../src/resource/type-url.ts';
import { syntheticParts } from './synthetic-message.ts';

/** What decoders do with the fields of one message. */
export interface MessageFields {
  readonly read: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
  readonly unread: ReadonlySet<string>;
}

const ROUNDS = 5_000;
const MORE_TURNS = 6;
const CONNECTION_MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const HTTP_FILTERS = 'envoy.extensions.filters.http.';
/** What may stand for a filter, in a chain or for a route; messages inside those are no choice. */
const FILTER_CONFIGS: ReadonlySet<string> = new Set([...ALL_EXTENSIONS.httpFilters, ...ROUTE_FILTER_DECODERS.keys()]);
const SEED = 11;
const REFUSAL = /^(?:\S+ )?is not supported/;

/**
 * What the decoders of all resource types look at, message by message, found out by giving them messages that note who
 * asks. The same seed always gives the same answer.
 */
export function observeDecoders(): ReadonlyMap<string, MessageFields> {
  const read = new Map<string, Set<string>>();
  const refused = new Map<string, Set<string>>();
  const random = seededRandom(SEED);
  let placeOfPath = new Map<string, readonly [typeName: string, field: string]>();
  const witness = {
    opened: (typeName: string): void => void into(read, typeName),
    asked: (typeName: string, field: string, path: string): void => {
      into(read, typeName).add(field);
      placeOfPath.set(path, [typeName, field]);
    },
  };
  const bags = new Map<string, number[]>();
  const turn = (place: string, count: number): number => {
    const bag = bags.get(place) ?? [];
    if (bag.length === 0) bag.push(...Array.from({ length: count }, (_, index) => index));
    bags.set(place, bag);
    return bag.splice(Math.floor(random.next() * bag.length), 1)[0] ?? 0;
  };
  const synthesis = { witness, random: () => random.next(), turn, extensions: extensionMessages() };
  const spy = vi.spyOn(MessageReader, 'over').mockImplementation((type, _bytes, path, faults, anyDepth) => {
    return new MessageReader(
      type,
      syntheticParts(type, path, synthesis) as Readonly<Record<string, unknown>>,
      path,
      faults,
      anyDepth,
    );
  });
  // The first hundred faults are kept; here each one counts.
  const add = vi.spyOn(FaultCollector.prototype, 'add').mockImplementation((path, message) => {
    const place = placeOfPath.get(path);
    if (place !== undefined && REFUSAL.test(message)) into(refused, place[0]).add(place[1]);
  });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const typeUrl of RESOURCE_TYPES) {
        placeOfPath = new Map();
        decodeResource(typeUrl, new Uint8Array());
      }
    }
  } finally {
    spy.mockRestore();
    add.mockRestore();
  }
  // A message that was only seen to be there, in order to refuse it, is told of with the field that holds it.
  const seen = [...read].filter(([typeName, fields]) => fields.size > 0 || refused.has(typeName));
  return new Map(
    seen.sort(byName).map(([typeName, fields]) => [typeName, fieldsOf(typeName, fields, refused.get(typeName))]),
  );
}

function fieldsOf(
  typeName: string,
  asked: ReadonlySet<string>,
  refused: ReadonlySet<string> = new Set(),
): MessageFields {
  const all = messageType(typeName).fieldsArray.map(({ name }) => name);
  return {
    read: new Set(all.filter((name) => asked.has(name) && !refused.has(name))),
    refused: new Set(all.filter((name) => refused.has(name))),
    unread: new Set(all.filter((name) => !asked.has(name))),
  };
}

/** Every message that may stand in an Any. */
function extensionMessages(): readonly string[] {
  const names: string[] = [];
  const walk = (namespace: protobuf.NamespaceBase): void => {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Type) {
        const name = fullNameOf(nested);
        if (
          /^envoy\.(?:extensions|config\.route\.v3\.FilterConfig)/.test(name) &&
          nested.parent instanceof protobuf.Type === false
        )
          names.push(name);
      } else if (nested instanceof protobuf.Namespace) walk(nested);
    }
  };
  walk(protoRoot());
  const fitting = names.filter((name) => !name.startsWith(HTTP_FILTERS) || FILTER_CONFIGS.has(name));
  // The one with most inside has more turns.
  return [...fitting, ...Array.from({ length: MORE_TURNS }, () => CONNECTION_MANAGER)];
}

function into(map: Map<string, Set<string>>, key: string): Set<string> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<string>();
  map.set(key, made);
  return made;
}

function byName([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
