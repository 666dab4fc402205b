/** Why a token was not taken, in the words that Envoy answers with. */
export const JWT_FAILURE = {
  missing: 'Jwt is missing',
  badFormat: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  badHeader: 'Jwt header is an invalid JSON',
  badAlgorithm: 'Jwt header [alg] field is required and must be a string',
  unsupportedAlgorithm: 'Jwt header [alg] is not supported',
  badKeyId: 'Jwt header [kid] field is not a string',
  badPayload: 'Jwt payload is an invalid JSON',
  badIssuer: 'Jwt payload [iss] field is not a string',
  badSubject: 'Jwt payload [sub] field is not a string',
  badAudience: 'Jwt payload [aud] field is not a string or string list',
  badExpiry: 'Jwt payload [exp] field is not a positive integer',
  badNotBefore: 'Jwt payload [nbf] field is not a positive integer',
  badIssuedAt: 'Jwt payload [iat] field is not a positive integer',
  unknownIssuer: 'Jwt issuer is not configured',
  subjectNotAllowed: 'Subjects in Jwt are not allowed',
  audienceNotAllowed: 'Audiences in Jwt are not allowed',
  notYetValid: 'Jwt not yet valid',
  expired: 'Jwt is expired',
  missingExpiry: 'Jwt payload [exp] field is required',
  lifetimeTooLong: 'Jwt lifetime is longer than allowed',
  noValidKeys: "Jwks doesn't have any valid public key",
  noKey: "Jwks doesn't have key to match kid or alg from Jwt",
  notVerified: 'Jwt verification fails',
  fetchFailed: 'Jwks remote fetch is failed',
} as const;

export type JwtFailure = (typeof JWT_FAILURE)[keyof typeof JWT_FAILURE];
