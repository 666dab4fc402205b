import { decodeCidrRange } from './address-decode.ts';
import type { HeaderMatcher, StringMatcher } from './matcher.ts';
import { decodeHeaderMatcher, decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { MetadataMatcher } from './metadata-matcher.ts';
import { decodeMetadataMatcher } from './metadata-matcher-decode.ts';
import type { Permission, Principal, Rbac, RbacPolicy } from './rbac.ts';

const ACTIONS = { ALLOW: 'allow', DENY: 'deny', LOG: 'log' } as const;

/** A rule nobody matches: what a refused one reads as. */
const NOBODY: Principal = { kind: 'or', ids: [] };
const NOTHING: Permission = { kind: 'or', rules: [] };

/** envoy.config.rbac.v3.RBAC, undefined where absent. Everything in it decides access, so nothing is read past. */
export function decodeRbac(reader: MessageReader | undefined): Rbac | undefined {
  if (reader === undefined) return undefined;
  reader.refuse('audit_logging_options');
  const policies = [...reader.messageMap('policies')].map(([name, policy]) => [name, decodePolicy(policy)] as const);
  return { action: reader.choice('action', ACTIONS, 'allow'), policies: new Map(policies) };
}

function decodePolicy(reader: MessageReader): RbacPolicy {
  reader.refuse('condition', 'checked_condition');
  if (!reader.has('permissions')) reader.fault('permissions', 'must not be empty');
  if (!reader.has('principals')) reader.fault('principals', 'must not be empty');
  return {
    permissions: reader.messages('permissions').map(decodePermission),
    principals: reader.messages('principals').map(decodePrincipal),
  };
}

function decodePermission(reader: MessageReader): Permission {
  const rule = reader.oneof('rule');
  switch (rule) {
    case 'and_rules':
      return { kind: 'and', rules: members(reader, rule, 'rules').map(decodePermission) };
    case 'or_rules':
      return { kind: 'or', rules: members(reader, rule, 'rules').map(decodePermission) };
    case 'not_rule': {
      const inner = reader.message(rule);
      return inner === undefined ? NOTHING : { kind: 'not', rule: decodePermission(inner) };
    }
    case 'any':
      return reader.boolean(rule) ? { kind: 'any' } : NOTHING;
    case 'header':
      return headerRule(reader) ?? NOTHING;
    case 'url_path':
      return urlPathRule(reader);
    case 'metadata':
      return metadataRule(reader) ?? NOTHING;
    case 'destination_ip': {
      const range = reader.message(rule);
      return range === undefined ? NOTHING : { kind: 'destinationIp', range: decodeCidrRange(range) };
    }
    case 'destination_port':
      return { kind: 'destinationPort', port: decodePort(reader, rule) };
    case 'destination_port_range':
      return decodePortRange(reader.message(rule));
    case 'requested_server_name':
      return { kind: 'requestedServerName', matcher: decodeStringMatcher(reader.message(rule)) };
    case undefined:
      reader.fault('', 'has no rule that is supported');
      return NOTHING;
    default:
      reader.refuse(rule);
      return NOTHING;
  }
}

function decodePrincipal(reader: MessageReader): Principal {
  const identifier = reader.oneof('identifier');
  switch (identifier) {
    case 'and_ids':
      return { kind: 'and', ids: members(reader, identifier, 'ids').map(decodePrincipal) };
    case 'or_ids':
      return { kind: 'or', ids: members(reader, identifier, 'ids').map(decodePrincipal) };
    case 'not_id': {
      const inner = reader.message(identifier);
      return inner === undefined ? NOBODY : { kind: 'not', id: decodePrincipal(inner) };
    }
    case 'any':
      return reader.boolean(identifier) ? { kind: 'any' } : NOBODY;
    case 'authenticated': {
      const principalName = reader.message(identifier)?.message('principal_name');
      return { kind: 'authenticated', principalName: principalName && decodeStringMatcher(principalName) };
    }
    case 'direct_remote_ip':
    case 'remote_ip': {
      const range = reader.message(identifier);
      if (range === undefined) return NOBODY;
      return { kind: identifier === 'remote_ip' ? 'remoteIp' : 'directRemoteIp', range: decodeCidrRange(range) };
    }
    case 'header':
      return headerRule(reader) ?? NOBODY;
    case 'url_path':
      return urlPathRule(reader);
    case 'metadata':
      return metadataRule(reader) ?? NOBODY;
    case undefined:
      reader.fault('', 'has no identifier that is supported');
      return NOBODY;
    default:
      reader.refuse(identifier);
      return NOBODY;
  }
}

function members(reader: MessageReader, setName: string, listName: string): readonly MessageReader[] {
  const members = reader.message(setName)?.messages(listName) ?? [];
  if (members.length === 0) reader.fault(`${setName}.${listName}`, 'must not be empty');
  return members;
}

function headerRule(reader: MessageReader): { readonly kind: 'header'; readonly matcher: HeaderMatcher } | undefined {
  const header = reader.message('header');
  return header && { kind: 'header', matcher: decodeHeaderMatcher(header) };
}

function metadataRule(
  reader: MessageReader,
): { readonly kind: 'metadata'; readonly matcher: MetadataMatcher } | undefined {
  const metadata = reader.message('metadata');
  return metadata && { kind: 'metadata', matcher: decodeMetadataMatcher(metadata) };
}

function urlPathRule(reader: MessageReader): { readonly kind: 'urlPath'; readonly matcher: StringMatcher } {
  const path = reader.message('url_path')?.requiredMessage('path');
  return { kind: 'urlPath', matcher: decodeStringMatcher(path) };
}

function decodePort(reader: MessageReader, field: string): number {
  const port = reader.number(field);
  if (port > 65535) reader.fault(field, `must be at most 65535, not ${port}`);
  return port;
}

function decodePortRange(reader: MessageReader | undefined): Permission {
  const start = reader?.number('start') ?? 0;
  const end = reader?.number('end') ?? 0;
  if (start < 0 || end > 65536 || end <= start) reader?.fault('', `[${start}, ${end}) must lie within [0, 65536)`);
  return { kind: 'destinationPortRange', start, end };
}
