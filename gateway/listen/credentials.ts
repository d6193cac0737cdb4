// What an HTTP request says about who sends it.
import type { IncomingMessage } from 'node:http'
import { isIPv4 } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Credentials } from '../access/identity.ts'

export type RequestCredentials = Omit<Credentials, 'clientId'>

export function credentialsOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): RequestCredentials {
  const sourceIp = plainAddress(socket.remoteAddress)
  return {
    ...certificateOf(socket as TLSSocket),
    ...authorizationOf(headers.authorization),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    loopback: isLoopback(sourceIp) && isLoopback(plainAddress(socket.localAddress)) && !isForeign(headers),
  }
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

const isLoopback = (address: string | undefined) =>
  address === '::1' || (address !== undefined && isIPv4(address) && address.startsWith('127.'))

/** A proxy here speaks for somebody elsewhere, and so does a web page in a browser here. */
const isForeign = (headers: IncomingMessage['headers']) =>
  ['forwarded', 'x-forwarded-for', 'via', 'origin'].some((name) => headers[name] !== undefined)
