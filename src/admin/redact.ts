/** What Envoy prints in place of a sensitive field, as text and as bytes. */
const REDACTED = '[redacted]';

/** Fields that hold secrets in the protos Weft reads, in either spelling, without underscores and in lower case. */
const SECRET_FIELDS = new Set([
  'privatekey',
  'privatekeyprovider',
  'pkcs12',
  'password',
  'token',
  'sessionticketkeys',
  'genericsecret',
  'hmacsecret',
  'tokensecret',
  'clientsecret',
  'apikey',
  'accesstoken',
  'secretaccesskey',
  'sessiontoken',
]);

/** Headers whose values are secrets, e.g. `x-consul-token` in the bootstrap's initial metadata. */
const SECRET_HEADER = /token|authorization|cookie|secret|password|api-?key|credential/i;

/**
 * A copy of ProtoJSON without its secrets: in a secret field every text is replaced but a file's name, and so is the value
 * of a header, metadata entry or variable whose name says that it is one.
 */
export function redacted(value: unknown): unknown {
  return copy(value, false);
}

function copy(value: unknown, secret: boolean): unknown {
  if (typeof value === 'string') return secret ? REDACTED : value;
  if (Array.isArray(value)) return value.map((each: unknown) => copy(each, secret));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const named = entries.find(([name, text]) => (name === 'key' || name === 'name') && typeof text === 'string');
  const secretPair = named !== undefined && SECRET_HEADER.test(String(named[1]));
  return Object.fromEntries(
    entries.map(([name, inner]) => {
      if (name === 'filename' || name === '@type') return [name, inner];
      const hidden = secret || isSecretField(name) || (secretPair && HEADER_VALUE_FIELDS.has(name));
      return [name, copy(inner, hidden)];
    }),
  );
}

const HEADER_VALUE_FIELDS = new Set(['value', 'rawValue', 'raw_value']);

function isSecretField(name: string): boolean {
  // A map's key is a name that a person chose; a token is a token there as well.
  return SECRET_FIELDS.has(name.replaceAll('_', '').toLowerCase()) || /[_-](?:token|password|secret)$/i.test(name);
}
