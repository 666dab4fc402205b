import { AUTHORITY, METHOD, PATH, PROTOCOL, SCHEME, STATUS } from './hpack/field-kind.ts';

/** The pseudo-fields of one block (RFC 9113 §8.3), each at most once. */
export class PseudoFields {
  method = '';
  scheme = '';
  authority = '';
  path = '';
  status = '';
  protocol = '';
  #seen = 0;

  clear(): void {
    this.method = '';
    this.scheme = '';
    this.authority = '';
    this.path = '';
    this.status = '';
    this.protocol = '';
    this.#seen = 0;
  }

  has(which: number): boolean {
    return (this.#seen & (1 << which)) !== 0;
  }

  /** False where it was there already. */
  set(which: number, value: string): boolean {
    if (this.has(which)) return false;
    this.#seen |= 1 << which;
    if (which === METHOD) this.method = value;
    else if (which === PATH) this.path = value;
    else if (which === AUTHORITY) this.authority = value;
    else if (which === SCHEME) this.scheme = value;
    else if (which === STATUS) this.status = value;
    else if (which === PROTOCOL) this.protocol = value;
    return true;
  }
}
