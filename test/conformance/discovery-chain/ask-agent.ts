import type { ChainCase, ChainQuestion, WrittenEntry } from './chain-case.ts';

/** What one agent said to a case: to every write, and to every question. */
export interface CaseAnswers {
  readonly name: string;
  readonly writes: readonly PlainReply[];
  readonly chains: readonly PlainReply[];
  /** The entries as the agent shows them once all are written. */
  readonly stored: readonly unknown[];
}

export interface PlainReply {
  readonly status: number;
  readonly body: unknown;
}

const KINDS = ['proxy-defaults', 'service-defaults', 'service-resolver', 'service-splitter', 'service-router'];
/** Numbered by the agent, or handed out by it: virtual addresses are for transparent proxies, and no part of routing. */
const OWN_FIELDS: readonly string[] = ['CreateIndex', 'ModifyIndex', 'Hash', 'AutoVirtualIPs', 'ManualVirtualIPs'];
const ASK_WITHIN_MS = 10_000;

/** Writes, asks, and leaves the agent without entries. */
export async function askCase(url: string, { name, entries, questions }: ChainCase): Promise<CaseAnswers> {
  const writes: PlainReply[] = [];
  for (const entry of entries) writes.push(await ask(url, 'PUT', '/v1/config', entry));
  const chains: PlainReply[] = [];
  for (const question of questions) chains.push(await askChain(url, question));
  const stored = (await Promise.all(KINDS.map((kind) => ask(url, 'GET', `/v1/config/${kind}`)))).flatMap(({ body }) =>
    Array.isArray(body) ? body : [],
  );
  await removeAll(url, entries);
  return { name, writes, chains, stored };
}

function askChain(url: string, { service, datacenter, overrides }: ChainQuestion): Promise<PlainReply> {
  const path = `/v1/discovery-chain/${service}${datacenter === undefined ? '' : `?compile-dc=${datacenter}`}`;
  return overrides === undefined ? ask(url, 'GET', path) : ask(url, 'POST', path, overrides);
}

/** Last written first; what others still refer to goes in a later round. */
async function removeAll(url: string, entries: readonly WrittenEntry[]): Promise<void> {
  let left = [...new Map(entries.map((entry) => [`${entry.Kind}/${entry.Name}`, entry])).keys()].reverse();
  while (left.length > 0) {
    const refused: string[] = [];
    for (const path of left) {
      const { status } = await ask(url, 'DELETE', `/v1/config/${path}`);
      if (status !== 200) refused.push(path);
    }
    if (refused.length === left.length) throw new Error(`cannot remove ${refused.join(', ')}`);
    left = refused;
  }
}

async function ask(url: string, method: string, path: string, body?: unknown): Promise<PlainReply> {
  const response = await fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.timeout(ASK_WITHIN_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: response.status === 200 ? plain(JSON.parse(text)) : plainText(text) };
}

/** What two agents cannot share is left out, and so is what says nothing: Go writes it now this way, now that. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'string') return plainText(value);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value)
    .filter(([key]) => !OWN_FIELDS.includes(key))
    .map(([key, inner]) => [key, plain(inner)] as const);
  return Object.fromEntries(
    fields.filter(([key, inner]) => !isZero(inner) && !isEmptyBlock(key, inner)).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false || value === '0s') return true;
  return Array.isArray(value) && value.length === 0;
}

/** Settings that Consul shows as an empty block where nobody set them. */
function isEmptyBlock(key: string, value: unknown): boolean {
  const isBlock = ['MeshGateway', 'TransparentProxy', 'Expose', 'AccessLogs'].includes(key);
  return isBlock && typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/**
 * The trust domain is each agent's own; the words of Go's decoders and filter grammar are nobody's promise. Where a circle begins,
 * and which of several chains that an entry breaks is named, is where Go's map happened to begin.
 */
function plainText(text: string): string {
  return text
    .trimEnd()
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.consul/g, '<trust domain>')
    .replace(/^(Request decoding failed:)[\s\S]*$/, '$1 <…>')
    .replace(/^(detected circular [a-z ]+:)[\s\S]*$/, '$1 <…>')
    .replace(/^discovery chain "[^"]*" (uses inconsistent protocols)[\s\S]*$/, 'discovery chain <…> $1')
    .replace(/(is not a valid expression:)[\s\S]*$/, '$1 <…>');
}
