import type { Address } from '../resource/address.ts';
import type { DialledTls } from './tls/stream-handshake.ts';

/** Where to dial. */
export interface DialTarget {
  readonly address: Address;
  /** The host's too: dialled where those before have failed or are slow; whoever dials limits the time for all of them. */
  readonly additionalAddresses?: readonly Address[] | undefined;
}

export interface ConnectOptions {
  readonly target: DialTarget;
  /** Bytes of unsent output at which isBackedUp turns true. */
  readonly highWaterMarkBytes: number;
  /** Absent: plaintext. */
  readonly tls?: DialledTls | undefined;
}
