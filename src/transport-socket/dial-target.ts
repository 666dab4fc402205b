import type { Address } from '../resource/address.ts';
import type { DialledTls } from './tls/stream-handshake.ts';

/** Where to dial. */
export interface DialTarget {
  readonly address: Address;
  /** Tried in order where the one before could not be reached; whoever dials limits the time for all of them. */
  readonly additionalAddresses?: readonly Address[] | undefined;
}

export interface ConnectOptions {
  readonly target: DialTarget;
  /** Bytes of unsent output at which isBackedUp turns true. */
  readonly highWaterMarkBytes: number;
  /** Absent: plaintext. */
  readonly tls?: DialledTls | undefined;
}

export const NO_ADDRESSES: readonly Address[] = [];
