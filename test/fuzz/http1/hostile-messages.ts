import type { Random } from '../../../src/base/random.ts';
import { SPECIAL_BYTES } from '../../conformance/http1/http1-grammar.ts';

/** Hostile HTTP/1 by technique: field × place × special byte × framing, as the published smuggling suites build it. */

const FIELDS = [
  ['Content-Length', '5'],
  ['Content-Length', '0'],
  ['Content-Length', '+5'],
  ['Content-Length', '05'],
  ['Content-Length', '5, 5'],
  ['Transfer-Encoding', 'chunked'],
  ['Transfer-Encoding', 'identity'],
  ['Transfer-Encoding', 'chunked, identity'],
  ['Transfer-Encoding', 'gzip, chunked'],
  ['Transfer_Encoding', 'chunked'],
  ['Host', 'evil'],
  ['Connection', 'content-length'],
  ['Connection', 'keep-alive, x-thing'],
  ['Connection', 'close'],
  ['Connection', 'upgrade'],
  ['Upgrade', 'websocket'],
  ['Expect', '100-continue'],
  ['Keep-Alive', 'timeout=5'],
  ['TE', 'trailers'],
  ['Trailer', 'x-thing'],
  ['X-Thing', 'a  b'],
  ['Cookie', 'a=b; c=d'],
] as const;

const METHODS = ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] as const;

export function choose<T>(random: Random, items: readonly T[]): T {
  return items[random.uint32() % items.length] as T;
}

function chance(random: Random, oneIn: number): boolean {
  return random.uint32() % oneIn === 0;
}

/** A field line, now and then hurt at one of the places where parsers disagree. */
function fieldLine(random: Random): string {
  const [name, value] = choose(random, FIELDS);
  if (!chance(random, 3)) return `${name}: ${value}\r\n`;
  const special = choose(random, SPECIAL_BYTES);
  const middle = name.length >> 1;
  switch (random.uint32() % 9) {
    case 0:
      return `${special}${name}: ${value}\r\n`;
    case 1:
      return `${name}${special}: ${value}\r\n`;
    case 2:
      return `${name}:${special}${value}\r\n`;
    case 3:
      return `${name}: ${value}${special}\r\n`;
    case 4:
      return `${name.slice(0, middle)}${special}${name.slice(middle)}: ${value}\r\n`;
    case 5:
      return `${name}: ${value}${special}`;
    case 6:
      return `${name}: ${value}\r\n${special}x: y\r\n`;
    case 7:
      return `${name.toLowerCase()}: ${value}\r\n${name}: ${value}\r\n`;
    default:
      return `${name.toUpperCase()}:\t${value} \r\n`;
  }
}

function chunk(random: Random, data: string): string {
  const size = data.length.toString(16);
  if (!chance(random, 6)) return `${size}\r\n${data}\r\n`;
  const special = choose(random, SPECIAL_BYTES);
  switch (random.uint32() % 6) {
    case 0:
      return `${special}${size}\r\n${data}\r\n`;
    case 1:
      return `${size}${special}\r\n${data}\r\n`;
    case 2:
      return `${size}\r\n${data}${special}`;
    case 3:
      return `${size};a=${special}b\r\n${data}\r\n`;
    case 4:
      return `${size};a="${special}"\r\n${data}\r\n`;
    default:
      return `0x${size}\r\n${data}\r\n`;
  }
}

/** Framing lines and body bytes. The body often looks like another message, so that a wrong end shows. */
function framedBody(random: Random, data: string): readonly [string, string] {
  switch (random.uint32() % 4) {
    case 0:
      return ['', chance(random, 8) ? data : ''];
    case 1:
      return [`Content-Length: ${data.length}\r\n`, data];
    case 2:
      return [`Content-Length: ${chance(random, 2) ? data.length : random.uint32() % 99}\r\n`, data];
    default: {
      const last = chance(random, 3) ? `0\r\n${fieldLine(random)}\r\n` : '0\r\n\r\n';
      return ['Transfer-Encoding: chunked\r\n', chunk(random, data) + last];
    }
  }
}

/** A request that carries its nonce in path, field and body. */
export function hostileRequest(random: Random, nonce: string): string {
  const target = chance(random, 12) ? `http://other/${nonce}` : `/${nonce}`;
  const smuggled = `GET /smuggled-${nonce} HTTP/1.1\r\nHost: a\r\nX-Nonce: smuggled-${nonce}\r\n\r\n`;
  const [framing, body] = framedBody(random, chance(random, 2) ? smuggled : `body-${nonce}`);
  const lines = [`Host: a\r\n`, `X-Nonce: ${nonce}\r\n`, framing];
  for (let extra = random.uint32() % 4; extra > 0; extra -= 1) {
    lines.splice(random.uint32() % (lines.length + 1), 0, fieldLine(random));
  }
  return `${choose(random, METHODS)} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** A response that carries its nonce in a field and in its body, perhaps with another response behind it. */
export function hostileResponse(random: Random, nonce: string): string {
  const status = choose(random, ['200 OK', '200 OK', '404 x', '204 No Content', '304 y', '100 Continue', '103 z']);
  const smuggled = `HTTP/1.1 200 OK\r\nX-Nonce: smuggled-${nonce}\r\nContent-Length: 0\r\n\r\n`;
  const [framing, body] = framedBody(random, chance(random, 2) ? smuggled : `body-${nonce}`);
  const lines = [`X-Nonce: ${nonce}\r\n`, framing];
  for (let extra = random.uint32() % 3; extra > 0; extra -= 1) {
    lines.splice(random.uint32() % (lines.length + 1), 0, fieldLine(random));
  }
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}${chance(random, 6) ? smuggled : ''}`;
}

/** One byte put in, taken out, replaced or doubled, one time in three. */
export function hurt(random: Random, text: string): string {
  if (!chance(random, 3)) return text;
  const at = random.uint32() % (text.length + 1);
  const special = choose(random, SPECIAL_BYTES);
  switch (random.uint32() % 5) {
    case 0:
      return text.slice(0, at) + special + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + special + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + text.slice(at, at + 12) + text.slice(at);
    default:
      return text.slice(0, at);
  }
}
