// The request target: absolute form becomes origin form, and targets that two readers could understand differently are refused.
import { GatewayError } from '../errors.ts'

/** `http://host/path?query` becomes `/path?query` [RFC 9112 §3.2.2]; trust.ts compares the host. */
export function toOriginForm(url: string): string {
  if (url.startsWith('/')) return url
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '')
  return path === '' || path.startsWith('?') ? `/${path}` : path
}

/** A target has neither a fragment nor bytes outside ASCII [RFC 9112 §3.2]. */
export function wrongTarget(url: string): GatewayError | undefined {
  if (/^[!"$-~]*$/.test(url)) return undefined
  return new GatewayError('REQUEST_INVALID', 'the request target has a # or a character outside ASCII; percent-encode it')
}

/** A dot segment: a client or a proxy that resolves it names another path [RFC 3986 §5.2.4]. */
export function hasDotSegment(path: string): boolean {
  return path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))
}
