// Decides whether an HTTP request may use a listener that trusts callers without credentials.
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { type ErrorCode, GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { isLoopbackAddress, isLoopbackConnection } from './credentials.ts'

/*
   Host                       a loopback name, an IP literal or an allowed name. DNS rebinding needs any other name
   Origin, Sec-Fetch-Site     this listener or an allowed name. A browser sends others for a page of another site
   Forwarded, Via, …          absent from loopback connections. Behind a proxy, loopback is the proxy's address, not its caller's
*/

/** Callers that a listener trusts without credentials. TLS listeners trust nobody. */
export type Trusts = 'everyone' | 'loopback' | 'nobody'

/** Returns why the request is refused; undefined when it may go on. */
export type Guard = (request: IncomingMessage) => GatewayError | undefined

export interface GuardOptions {
  /** Host names that are allowed besides loopback names and IP literals. */
  readonly allowHosts: readonly string[]
  readonly observe: Pick<Observe, 'record'>
}

/** Creates the guards of all listeners. Each refused name or header is logged once, with the remedy. */
export function createGuards({ allowHosts, observe }: GuardOptions): (listener: string, trusts: Trusts) => Guard {
  const allowed = new Set(allowHosts.map(plainName))
  const warn = createWarnings(observe)
  return (listener, trusts) => (request) => {
    if (trusts === 'nobody') return undefined
    const isLoopback = isLoopbackConnection(request.socket)
    if (trusts === 'loopback' && !isLoopback) return undefined
    const refusal = wrongHost(request, allowed) ?? wrongOrigin(request, allowed) ?? (isLoopback ? wrongProxy(request) : undefined)
    if (refusal) warn(listener, refusal)
    return refusal
  }
}

/** Distinct names that are logged; after these, only the counter of refused requests goes up. */
const maxWarnings = 100

function createWarnings(observe: GuardOptions['observe']): (listener: string, refusal: GatewayError) => void {
  const known = new Set<string>()
  return (listener, { code, message, details }) => {
    if (known.has(message) || known.size >= maxWarnings) return
    known.add(message)
    observe.record('caller.untrusted', { listener, code, ...details, detail: message })
  }
}

// ── Host ──

/** `uri-host [":" port]` [RFC 9110 §7.2], in lower case. Userinfo and lists of hosts do not match. */
const authority = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/

interface Authority {
  readonly name: string
  readonly port: string
}

export function parseAuthority(text: string): Authority | undefined {
  const [, ipv6, name = '', port = '80'] = authority.exec(text.toLowerCase()) ?? []
  if (ipv6 !== undefined) return isIP(ipv6) === 6 ? { name: ipv6, port } : undefined
  const plain = plainName(name)
  return plain === '' ? undefined : { name: plain, port }
}

/** `LOCALHOST.` is `localhost`. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}

function wrongHost(request: IncomingMessage, allowed: ReadonlySet<string>): GatewayError | undefined {
  const hosts = hostsOf(request)
  const target = authorityOf(request)
  if (hosts.length > 1) return hostRefusal('the request has several Host headers')
  const host = target ?? hosts[0]
  // HTTP/1.0 has no Host header, and no browser speaks HTTP/1.0.
  if (host === undefined) return request.httpVersion === '1.0' ? undefined : hostRefusal('the request has no Host header')
  if (target !== undefined && hosts[0] !== undefined && target.toLowerCase() !== hosts[0].toLowerCase())
    return hostRefusal('the request target and the Host header name different hosts')
  const name = parseAuthority(host)?.name
  if (name === undefined) return hostRefusal(`Host ${shown(host)} is not a host name or an IP address`, host)
  if (isIP(name) !== 0 || isLoopbackName(name) || allowed.has(name)) return undefined
  return hostRefusal(`Host ${shown(name)} is not an allowed host name; to allow it, start with --allow-host ${shown(name)}`, name)
}

/** Node.js keeps only the first of several Host headers in `headers`. */
function hostsOf({ rawHeaders }: IncomingMessage): readonly string[] {
  const hosts: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length === 4 && rawHeaders[i]!.toLowerCase() === 'host') hosts.push(rawHeaders[i + 1]!)
  }
  return hosts
}

/** The authority of a target in absolute form: `http://<authority>/path`. */
function authorityOf(request: IncomingMessage & { readonly originalUrl?: string }): string | undefined {
  const url = request.originalUrl ?? request.url ?? '/'
  return url.startsWith('/') ? undefined : /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]
}

function hostRefusal(why: string, caller = ''): GatewayError {
  return refusal('HOST_NOT_ALLOWED', why, caller)
}

// ── Origin ──

function wrongOrigin({ headers, method }: IncomingMessage, allowed: ReadonlySet<string>): GatewayError | undefined {
  const { origin, host = '' } = headers
  if (origin !== undefined) return isAllowedOrigin(origin, host, allowed) ? undefined : originRefusal(origin)
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined
  // A link to the dashboard opens it, but cannot read it.
  if (headers['sec-fetch-mode'] === 'navigate' && (method === 'GET' || method === 'HEAD')) return undefined
  return refusal('ORIGIN_NOT_ALLOWED', 'a web page of another site sent the request', '')
}

/** This listener, by the host of the request or another loopback name; or an allowed name. A page of another site may have an IP literal too. */
function isAllowedOrigin(origin: string, host: string, allowed: ReadonlySet<string>): boolean {
  const { protocol = '', host: from = '', port = '' } = URL.parse(origin) ?? {}
  const page = parseAuthority(from)
  // A browser sends scheme, host and port, and nothing else [RFC 6454 §7].
  if (!page || `${protocol}//${from}` !== origin.toLowerCase()) return false
  if (allowed.has(page.name)) return protocol === 'http:' || protocol === 'https:'
  const to = parseAuthority(host)
  const isHere = page.name === to?.name || isLoopbackName(page.name) || isLoopbackAddress(page.name)
  return protocol === 'http:' && (port || '80') === to?.port && isHere
}

function originRefusal(origin: string): GatewayError {
  const name = URL.parse(origin)?.hostname
  const remedy = name ? `; to allow pages of this host, start with --allow-host ${shown(name)}` : ''
  return refusal('ORIGIN_NOT_ALLOWED', `Origin ${shown(origin)} is another site${remedy}`, origin)
}

// ── Proxies ──

const forwarding: ReadonlySet<string> = new Set([
  ...['forwarded', 'via', 'x-real-ip', 'x-client-ip', 'client-ip', 'x-cluster-client-ip', 'true-client-ip', 'x-proxyuser-ip'],
  ...['cf-connecting-ip', 'cf-connecting-ipv6', 'cf-ray', 'cdn-loop', 'fastly-client-ip', 'fly-client-ip', 'x-amz-cf-id'],
  ...['x-appengine-user-ip', 'x-azure-clientip', 'x-azure-socketip', 'x-envoy-external-address', 'x-envoy-internal'],
  ...['x-original-forwarded-for', 'x-original-host', 'x-original-uri', 'x-original-url', 'x-rewrite-url', 'x-host'],
])

function wrongProxy({ headers }: IncomingMessage): GatewayError | undefined {
  for (const name in headers) {
    if (!name.startsWith('x-forwarded') && !forwarding.has(name)) continue
    const why = `header ${shown(name)}: behind a proxy, a loopback address does not identify the caller`
    const remedy = 'set access.anonymous to "off", or let the proxy authenticate its callers and remove this header'
    return refusal('PROXY_NOT_TRUSTED', `${why}; ${remedy}`, name)
  }
  return undefined
}

/** Long enough for any host name [RFC 1035 §2.3.4]. */
const maxShown = 253

function refusal(code: ErrorCode, message: string, caller: string): GatewayError {
  return new GatewayError(code, message, { details: { caller: caller.slice(0, maxShown) } })
}

/** Text of a caller in a log line. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, maxShown))
}
