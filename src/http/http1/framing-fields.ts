import { trimBlanks } from './blank.ts';
import type { Http1Fault } from './contract.ts';
import { FAULTS } from './faults.ts';

/** Fifteen digits stay below 2^53: no rounding, and no length anyone sends is longer. */
const MAX_LENGTH_DIGITS = 15;
const DIGITS = /^[0-9]+$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VISIBLE_ASCII = /^[\t -~]*$/;

/** The length a Content-Length value declares, or the fault in it (RFC 9110 §8.6, without its allowance for lists). */
export function readContentLength(value: string): number | Http1Fault {
  if (value.length > MAX_LENGTH_DIGITS) return DIGITS.test(value) ? FAULTS.contentLengthRange : FAULTS.contentLength;
  if (value.length === 0 || (value.length > 1 && value.charCodeAt(0) === 0x30)) return FAULTS.contentLength;
  let length = 0;
  for (let index = 0; index < value.length; index += 1) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return FAULTS.contentLength;
    length = length * 10 + digit;
  }
  return length;
}

/** Why a Transfer-Encoding value is not exactly `chunked` in any case; undefined where it is (RFC 9112 §6.1, §6.3). */
export function faultOfTransferEncoding(value: string): Http1Fault | undefined {
  if (value === 'chunked') return undefined;
  if (!VISIBLE_ASCII.test(value)) return FAULTS.coding;
  const codings = value.toLowerCase().split(',');
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  let unknown = false;
  for (const [index, coding] of codings.entries()) {
    const name = trimBlanks(coding);
    if (name === '' || name.includes(';')) return FAULTS.coding;
    if (name === 'chunked') {
      if (index < codings.length - 1 || codings.indexOf(coding) !== index) return FAULTS.coding;
    } else if (TOKEN.test(name) || !name.includes(' ')) unknown = true;
    else return FAULTS.coding;
  }
  return unknown ? FAULTS.codingUnknown : FAULTS.coding;
}
