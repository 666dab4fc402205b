import { durationText, parseDuration, parseTimestamp, type SecondsAndNanos, timestampText } from './duration-json.ts';
import { describeJson, parseScalar } from './scalar-json.ts';
import {
  jsonFromList,
  jsonFromStruct,
  jsonFromValue,
  listFromJson,
  structFromJson,
  valueFromJson,
} from './struct-json.ts';
import { wireInteger } from './wire-integer.ts';

/** The message types whose ProtoJSON is not an object of their fields: durations, times, wrappers, Struct and its kin. */
export interface WellKnownJson {
  /** The parts of the message, or why the JSON is none. */
  readonly parse: (json: unknown) => WellKnownParts;
  /** Decoded parts to JSON. */
  readonly write: (parts: Readonly<Record<string, unknown>>) => unknown;
}

export type WellKnownParts =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly message: string };

/** The rule for a message's full name, undefined for ordinary messages. */
export function wellKnownJson(fullName: string): WellKnownJson | undefined {
  return WELL_KNOWN.get(fullName);
}

const WELL_KNOWN: ReadonlyMap<string, WellKnownJson> = new Map<string, WellKnownJson>([
  ['google.protobuf.Duration', textual(parseDuration, durationText, 'a duration such as "5s" or "0.25s"')],
  ['google.protobuf.Timestamp', textual(parseTimestamp, timestampText, 'a time such as "2026-01-31T08:00:00Z"')],
  ['google.protobuf.StringValue', wrapper('string')],
  ['google.protobuf.BytesValue', wrapper('bytes')],
  ['google.protobuf.BoolValue', wrapper('bool')],
  ['google.protobuf.FloatValue', wrapper('float')],
  ['google.protobuf.DoubleValue', wrapper('double')],
  ['google.protobuf.Int32Value', wrapper('int32')],
  ['google.protobuf.UInt32Value', wrapper('uint32')],
  ['google.protobuf.Int64Value', wrapper('int64')],
  ['google.protobuf.UInt64Value', wrapper('uint64')],
  ['google.protobuf.Struct', structural(structFromJson, jsonFromStruct, 'an object of plain JSON')],
  ['google.protobuf.Value', structural(valueFromJson, jsonFromValue, 'plain JSON')],
  ['google.protobuf.ListValue', structural(listFromJson, jsonFromList, 'a list of plain JSON')],
]);

function textual(
  parse: (text: string) => SecondsAndNanos | undefined,
  write: (parts: SecondsAndNanos) => string,
  wanted: string,
): WellKnownJson {
  return {
    parse(json) {
      const parts = typeof json === 'string' ? parse(json) : undefined;
      if (parts === undefined) return { ok: false, message: `must be ${wanted}, not ${describeJson(json)}` };
      return { ok: true, value: { ...parts } };
    },
    write: (parts) => write(secondsAndNanos(parts)),
  };
}

function wrapper(protoType: string): WellKnownJson {
  return {
    parse(json) {
      const scalar = parseScalar(protoType, json);
      return scalar.ok ? { ok: true, value: { value: scalar.value } } : scalar;
    },
    write: (parts) => scalarJson(protoType, parts['value']),
  };
}

function structural(
  parse: (json: unknown) => Readonly<Record<string, unknown>> | undefined,
  write: (parts: Readonly<Record<string, unknown>>) => unknown,
  wanted: string,
): WellKnownJson {
  return {
    parse(json) {
      const value = parse(json);
      return value === undefined
        ? { ok: false, message: `must be ${wanted} (finite numbers, at most 32 deep), not ${describeJson(json)}` }
        : { ok: true, value };
    },
    write,
  };
}

/** Parts of a decoded Duration or Timestamp as numbers, whatever form a 64-bit integer was decoded to. */
export function secondsAndNanos(parts: Readonly<Record<string, unknown>>): SecondsAndNanos {
  return { seconds: Number(wireInteger(parts['seconds'] ?? 0)), nanos: Number(parts['nanos'] ?? 0) };
}

/** A decoded scalar as ProtoJSON writes it: 64-bit integers as strings, bytes as base64, non-finite floats by name. */
export function scalarJson(protoType: string, value: unknown): unknown {
  if (protoType === 'bytes') return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : '';
  if (protoType.endsWith('64')) return String(wireInteger(value));
  if (typeof value !== 'number') return value;
  return Number.isFinite(value) ? value : String(value);
}
