import { aliasesKnownName } from '../../http1/protected-names.ts';

/**
 * What a field is, found once when its text is decoded and kept beside it in tables and heads, so that a field that comes
 * back by index is not looked at again. The low four bits say which name, the others what is odd about the text.
 */
export const NAME_MASK = 0x0f;
export const REGULAR = 0;
export const METHOD = 1;
export const SCHEME = 2;
export const AUTHORITY = 3;
export const PATH = 4;
export const STATUS = 5;
export const PROTOCOL = 6;
export const UNKNOWN_PSEUDO = 7;
/** Connection and its kin, which HTTP/2 forbids (RFC 9113 §8.2.2). */
export const CONNECTION_SPECIFIC = 8;
export const TE = 9;
export const HOST = 10;
export const CONTENT_LENGTH = 11;
export const COOKIE = 12;
export const EXPECT = 13;
/** Dropped without being read. */
export const OTHER_HOP_BY_HOP = 14;
/** Never to be found by guessing what compresses well (RFC 7541 §7.1). */
export const CREDENTIAL = 15;

export const UNDERSCORE = 0x10;
export const INVALID_NAME = 0x20;
export const INVALID_VALUE = 0x40;
/** Sent as a never-indexed literal, and to be sent on as one (RFC 7541 §6.2.3). */
export const NEVER_INDEXED = 0x80;

const KNOWN_KINDS: ReadonlyMap<string, number> = new Map([
  [':method', METHOD],
  [':scheme', SCHEME],
  [':authority', AUTHORITY],
  [':path', PATH],
  [':status', STATUS],
  [':protocol', PROTOCOL],
  ['connection', CONNECTION_SPECIFIC],
  ['keep-alive', CONNECTION_SPECIFIC],
  ['proxy-connection', CONNECTION_SPECIFIC],
  ['transfer-encoding', CONNECTION_SPECIFIC],
  ['upgrade', CONNECTION_SPECIFIC],
  ['te', TE],
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['cookie', COOKIE],
  ['expect', EXPECT],
  ['http2-settings', OTHER_HOP_BY_HOP],
  ['authorization', CREDENTIAL],
  ['proxy-authorization', CREDENTIAL],
  ['set-cookie', CREDENTIAL],
  ['x-consul-token', CREDENTIAL],
]);

const TAB = 0x09;
const SP = 0x20;
const COLON = 0x3a;
const LOWER_TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Anything but HTAB, SP, visible ASCII and obs-text (RFC 9110 §5.5). */
const NOT_IN_VALUE = /[^\t -~\x80-\xff]/;

/** A name, as one string for everybody, and what it is. */
export interface JudgedName {
  readonly name: string;
  readonly kind: number;
}

/** Names met before, for a bounded number of names: looking one up is cheaper than looking at it. */
const MAX_REMEMBERED_NAMES = 1024;
const LONGEST_REMEMBERED_NAME = 64;
const remembered = new Map([...KNOWN_KINDS].map(([name, kind]): [string, JudgedName] => [name, { name, kind }]));

export function judgedName(name: string): JudgedName {
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const kind = judgeName(name);
  if (name.length > LONGEST_REMEMBERED_NAME || remembered.size >= MAX_REMEMBERED_NAMES) return { name, kind };
  const judged = { name: shared(name), kind };
  remembered.set(judged.name, judged);
  return judged;
}

/** The engine keeps one copy of each property name, and compares such copies by address. */
function shared(name: string): string {
  return Object.keys({ [name]: 0 })[0] as string;
}

export function kindOfName(name: string): number {
  return judgedName(name).kind;
}

function judgeName(name: string): number {
  if (name.charCodeAt(0) === COLON) return UNKNOWN_PSEUDO;
  if (!LOWER_TOKEN.test(name)) return INVALID_NAME;
  if (!name.includes('_')) return REGULAR;
  return aliasesKnownName(name) ? INVALID_NAME : UNDERSCORE;
}

/** Whether a name, of that kind, can be written as a field. What we refuse to read we may still be told to write. */
export function isFieldName(name: string, kind: number): boolean {
  if ((kind & INVALID_NAME) !== 0) return LOWER_TOKEN.test(name);
  return !isPseudo(kind);
}

function isPseudo(kind: number): boolean {
  const name = kind & NAME_MASK;
  return name >= METHOD && name <= UNKNOWN_PSEUDO;
}

/** Fields that belong to one connection, and those that a writer makes anew: framing and the authority. */
export function isMadeAnew(kind: number): boolean {
  const name = kind & NAME_MASK;
  return (name >= CONNECTION_SPECIFIC && name <= CONTENT_LENGTH) || name === OTHER_HOP_BY_HOP;
}

/** RFC 9113 §8.2.1: no control character, and no blank at either end. */
export function isFieldValue(value: string): boolean {
  if (value === '') return true;
  return !NOT_IN_VALUE.test(value) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
}

function isBlank(code: number): boolean {
  return code === SP || code === TAB;
}

/** Whether a field of that kind must not enter the table of a connection that many clients share. */
export function isSensitive(kind: number): boolean {
  const name = kind & NAME_MASK;
  return (kind & NEVER_INDEXED) !== 0 || name === CREDENTIAL || name === COOKIE;
}
