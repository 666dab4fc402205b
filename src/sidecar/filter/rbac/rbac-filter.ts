import type { RbacFilterConfig } from '../../../resource/filter-config.ts';
import type { TransportFacts } from '../../../transport-socket/transport-socket.ts';
import type { FieldSource } from '../effective-fields.ts';
import type { FilterContext } from '../filter-context.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from '../filter-stream.ts';
import { plainReply } from '../local-replies.ts';
import type { StreamMetadata } from '../stream-metadata.ts';
import { RbacEnforcement } from './rbac-enforcement.ts';
import type { RbacSubject } from './rbac-subject.ts';

const DENIED_BODY = 'RBAC: access denied';

/** envoy.filters.http.rbac: who may ask for what. Judged on the request as the upstream would see it. */
export function createRbacFilter(name: string, config: RbacFilterConfig, context: FilterContext): CompiledFilter {
  const scope = { kind: 'http', name: context.statPrefix } as const;
  const enforcement = new RbacEnforcement(config, context.metrics, scope);
  return {
    name,
    onRequestHead(stream): FilterVerdict {
      const details = enforcement.refusal(new StreamSubject(stream));
      if (details === undefined) return 'continue';
      stream.sendLocalReply(plainReply(403, details, DENIED_BODY), '');
      return 'stop';
    },
    forRoute([own]) {
      return own?.kind === 'rbac' ? createRbacFilter(name, { ...config, ...own }, context) : this;
    },
  };
}

class StreamSubject implements RbacSubject {
  readonly request: FieldSource;
  readonly #stream: FilterStream;

  constructor(stream: FilterStream) {
    this.request = stream;
    this.#stream = stream;
  }

  get transport(): TransportFacts {
    return this.#stream.peer.transport;
  }

  get metadata(): StreamMetadata | undefined {
    return this.#stream.metadata;
  }

  get serverName(): string {
    return this.#stream.peer.transport.serverName;
  }

  get directRemoteAddress(): string {
    return this.#stream.peer.directAddress;
  }

  get remoteAddress(): string {
    return this.#stream.clientAddress;
  }

  get destinationAddress(): string {
    return this.#stream.peer.ends().destinationAddress;
  }

  get destinationPort(): number {
    return this.#stream.peer.ends().destinationPort;
  }
}
