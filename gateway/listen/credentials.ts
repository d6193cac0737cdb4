// What an HTTP request says about who sends it.
import type { IncomingMessage } from 'node:http'
import { isIPv4, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Credentials } from '../access/identity.ts'

export type RequestCredentials = Omit<Credentials, 'clientId'>

export function credentialsOf({
  socket,
  headers,
}: {
  readonly socket: Socket
  readonly headers: IncomingMessage['headers']
}): RequestCredentials {
  const sourceIp = plainAddress(socket.remoteAddress)
  return {
    ...certificateOf(socket as TLSSocket),
    ...authorizationOf(headers.authorization),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    // A client that uses TLS must authenticate. HTTP requests have also passed the guard in trust.ts.
    loopback: !(socket as TLSSocket).encrypted && isLoopbackConnection(socket),
  }
}

/** The same of a connection that speaks no HTTP. */
export function callerOf(socket: Socket): RequestCredentials {
  return credentialsOf({ socket, headers: {} })
}

/** Only a certificate that the handshake verified counts. */
function certificateOf(socket: TLSSocket): Pick<Credentials, 'certificate' | 'domainName'> {
  if (!socket.encrypted) return {}
  const certificate = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined
  const domainName = typeof socket.servername === 'string' ? socket.servername : undefined
  return { ...(certificate ? { certificate } : {}), ...(domainName ? { domainName } : {}) }
}

/** Bearer is a token, Basic a name and a password; anything else is a token that nobody has. */
function authorizationOf(header: string | undefined): Pick<Credentials, 'token' | 'username' | 'password'> {
  if (header === undefined) return {}
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return { token: value }
  if (scheme.toLowerCase() !== 'basic') return { token: '' }
  const [, username = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? []
  return { username, password }
}

const plainAddress = (address: string | undefined) => address?.replace(/^::ffff:/i, '')

export const isLoopbackAddress = (address: string | undefined) =>
  address === '::1' || (address !== undefined && isIPv4(address) && address.startsWith('127.'))

/** Both ends are on this machine. */
export function isLoopbackConnection({ remoteAddress, localAddress }: Socket): boolean {
  return isLoopbackAddress(plainAddress(remoteAddress)) && isLoopbackAddress(plainAddress(localAddress))
}
