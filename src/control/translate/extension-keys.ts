/**
 * Every key of ours that Consul stores untouched: the one table that reading, checking and docs/configuration.md are made of.
 * A new key is a row here and the place that obeys it.
 */

import { LARGEST_GRPC_MESSAGE_BYTES } from '../../resource/grpc-limits.ts';

/** Where a key may stand; the first place of a key that has it counts. */
export type KeyPlace = 'proxy' | 'upstream';

export const KEY_PLACES: Readonly<Record<KeyPlace, string>> = {
  proxy: "a registration's `proxy.config`, else `proxy-defaults` `Config`",
  upstream: "an upstream's `config`, else `Meta` of the destination's `service-resolver`",
};

interface KeyText {
  readonly place: KeyPlace;
  /** What holds where nobody sets it, as the documentation says it. */
  readonly otherwise: string;
  readonly meaning: string;
}

interface NumberKey extends KeyText {
  readonly type: 'whole number' | 'number';
  readonly min: number;
  readonly max: number;
}

interface WordKey extends KeyText {
  readonly type: 'word';
  readonly words: readonly string[];
}

const DAY_MS = 86_400_000;

export const NUMBER_KEYS = {
  weft_trace_sampling_percent: {
    place: 'proxy',
    type: 'number',
    min: 0,
    max: 100,
    otherwise: '1',
    meaning: 'share of traces kept, of requests that arrive without a decision',
  },
  weft_local_keepalive_ms: {
    place: 'proxy',
    type: 'whole number',
    min: 100,
    max: DAY_MS,
    otherwise: '4,000',
    meaning: "how long a connection to the app may idle before the sidecar closes it; stay below the app's own limit",
  },
  weft_requests_per_second: {
    place: 'proxy',
    type: 'whole number',
    min: 1,
    max: 10_000_000,
    otherwise: '`service-defaults.RateLimits`, else no limit',
    meaning:
      "requests one instance takes a second, of all callers together (Consul's community edition refuses `RateLimits`)",
  },
  weft_requests_burst: {
    place: 'proxy',
    type: 'whole number',
    min: 1,
    max: 10_000_000,
    otherwise: 'as many as in a second',
    meaning: 'how many of them may come at once, where `weft_requests_per_second` is set',
  },
  weft_grpc_max_request_message_bytes: {
    place: 'proxy',
    type: 'whole number',
    min: 1,
    max: LARGEST_GRPC_MESSAGE_BYTES,
    otherwise: 'no limit',
    meaning:
      'the largest message of a gRPC call that goes to the app; a larger one ends its call with RESOURCE_EXHAUSTED',
  },
  weft_grpc_max_response_message_bytes: {
    place: 'proxy',
    type: 'whole number',
    min: 1,
    max: LARGEST_GRPC_MESSAGE_BYTES,
    otherwise: 'no limit',
    meaning: 'the same for the messages that the app answers with',
  },
  weft_slow_start_ms: {
    place: 'upstream',
    type: 'whole number',
    min: 0,
    max: DAY_MS,
    otherwise: '0 (off)',
    meaning: 'how long a new endpoint takes to its full share',
  },
  weft_num_retries: {
    place: 'upstream',
    type: 'whole number',
    min: 0,
    max: 10,
    otherwise: '2',
    meaning: 'retries of a request that surely reached nobody; 0 turns them off',
  },
  weft_retry_budget_percent: {
    place: 'upstream',
    type: 'number',
    min: 0,
    max: 100,
    otherwise: '100',
    meaning: 'retries as a share of the requests in flight',
  },
} as const satisfies Readonly<Record<string, NumberKey>>;

export const WORD_KEYS = {
  weft_lb_policy: {
    place: 'upstream',
    type: 'word',
    words: ['round_robin', 'least_request', 'random'],
    otherwise: "the resolver's policy, else `round_robin`",
    meaning: 'load balancing policy where the resolver names none',
  },
} as const satisfies Readonly<Record<string, WordKey>>;

export type NumberKeyName = keyof typeof NUMBER_KEYS;
export type WordKeyName = keyof typeof WORD_KEYS;
export type WordOf<Name extends WordKeyName> = (typeof WORD_KEYS)[Name]['words'][number];

const ALL_KEYS: ReadonlyMap<string, NumberKey | WordKey> = new Map(Object.entries({ ...NUMBER_KEYS, ...WORD_KEYS }));

/** What to say of a key of ours that nobody asked for here; undefined for one that is none of ours. */
export function misplacedKeyText(key: string): string | undefined {
  if (!key.startsWith('weft_')) return undefined;
  const known = ALL_KEYS.get(key);
  if (known !== undefined) return `"${key}" has no effect here; it belongs in ${KEY_PLACES[known.place]}`;
  const nearest = nearestKey(key);
  return `unknown key "${key}"; it is ignored${nearest === undefined ? '' : `. Did you mean "${nearest}"?`}`;
}

/** The known key that the fewest changes of letters lead to, if few enough. */
function nearestKey(key: string): string | undefined {
  const distances = [...ALL_KEYS.keys()].map((known) => [known, editDistance(key.slice(0, 64), known)] as const);
  const [nearest] = distances.sort(([, a], [, b]) => a - b);
  return nearest !== undefined && nearest[1] <= MAX_MISSPELT_LETTERS ? nearest[0] : undefined;
}

const MAX_MISSPELT_LETTERS = 3;

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [at, letter] of Array.from(a).entries()) {
    const next = [at + 1];
    for (const [other, otherLetter] of Array.from(b).entries()) {
      const change = (row[other] ?? 0) + (letter === otherLetter ? 0 : 1);
      next.push(Math.min(change, (row[other + 1] ?? 0) + 1, (next[other] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The table of docs/configuration.md. */
export function extensionKeysMarkdown(): string {
  const rows = [...ALL_KEYS].map(([key, row]) => {
    const range =
      row.type === 'word'
        ? row.words.map((each) => `\`${each}\``).join(', ')
        : `${row.min.toLocaleString('en-US')} to ${row.max.toLocaleString('en-US')}`;
    return `| \`${key}\` | ${KEY_PLACES[row.place]} | ${row.type} | ${range} | ${row.otherwise} | ${row.meaning} |`;
  });
  return [
    '| key | where it stands | type | range | default | what it does |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
