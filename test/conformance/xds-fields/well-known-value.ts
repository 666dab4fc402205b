import type { Synthesis } from './synthetic-message.ts';

/** Messages of google.protobuf mean a value, and are no fields of ours to account for. */
export function wellKnownValue(
  typeName: string,
  path: string,
  { random, turn, extensions }: Synthesis,
): object | undefined {
  switch (typeName) {
    case 'google.protobuf.Duration':
      return { seconds: 1 + Math.floor(random() * 10), nanos: 0 };
    case 'google.protobuf.Timestamp':
      return { seconds: 1_700_000_000, nanos: 0 };
    case 'google.protobuf.Struct':
      return { fields: { key: { stringValue: 'value' } } };
    case 'google.protobuf.Value':
      return { stringValue: 'value' };
    case 'google.protobuf.Any': {
      const [place, fitting] = fittingExtensions(path, extensions);
      const typeUrl = `type.googleapis.com/${fitting[turn(place, fitting.length)]}`;
      return { type_url: typeUrl, value: new Uint8Array() };
    }
    case 'google.protobuf.StringValue':
      return { value: 'value' };
    case 'google.protobuf.BytesValue':
      return { value: new Uint8Array([0x61]) };
    case 'google.protobuf.BoolValue':
      return { value: random() < 0.5 };
    default:
      return typeName.startsWith('google.protobuf.') ? { value: 1 + Math.floor(random() * 200) } : undefined;
  }
}

/** Where an Any stands says what belongs in it; elsewhere it may be anything. */
const PLACES: readonly (readonly [place: RegExp, fitting: RegExp])[] = [
  [/(?:^|\.)listener_filters\[0\]\.typed_config$/, /filters\.listener\./],
  [/(?:^|\.)http_filters\[0\]\.typed_config$/, /filters\.http\./],
  [/(?:^|\.)filters\[0\]\.typed_config$/, /filters\.network\./],
  [/(?:^|\.)access_log\[0\]\.typed_config$/, /access_loggers\./],
  [/(?:^|\.)transport_socket\.typed_config$/, /transport_sockets\..*(?:Context|RawBuffer|Transport)$/],
  [/(?:^|\.)policies\[0\]\.typed_extension_config\.typed_config$/, /load_balancing_policies\./],
  [/(?:^|\.)typed_extension_protocol_options\[key\]$/, /upstreams\.http\./],
  [/(?:^|\.)typed_per_filter_config\[key\](?:\.config)?$/, /filters\.http\.|FilterConfig$/],
  [/(?:^|\.)retry_host_predicate\[0\]\.typed_config$/, /retry\.host\./],
  [/(?:^|\.)retry_priority\.typed_config$/, /retry\.priority\./],
  [/(?:^|\.)cluster_type\.typed_config$/, /clusters\./],
  [/(?:^|\.)session_state\.typed_config$/, /stateful_session\./],
];

function fittingExtensions(path: string, extensions: readonly string[]): readonly [place: string, readonly string[]] {
  const found = PLACES.find(([place]) => place.test(path));
  if (found === undefined) return ['', extensions];
  const [place, fitting] = found;
  return [place.source, extensions.filter((name) => fitting.test(name))];
}
