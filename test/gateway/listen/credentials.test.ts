import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { credentialsOf } from '../../../gateway/listen/credentials.ts'

const request = (socket: object, headers: IncomingMessage['headers'] = {}) =>
  ({ socket: { remoteAddress: '127.0.0.1', localAddress: '127.0.0.1', ...socket }, headers }) as Pick<IncomingMessage, 'socket' | 'headers'>

test.each<[socket: object, headers: IncomingMessage['headers'], loopback: boolean]>([
  [{}, {}, true],
  [{ remoteAddress: '::1', localAddress: '::1' }, {}, true],
  [{ remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' }, {}, true],
  [{ remoteAddress: '192.0.2.1' }, {}, false],
  [{ localAddress: '192.0.2.1' }, {}, false],
  [{ remoteAddress: undefined }, {}, false],
  [{ encrypted: true }, {}, false],
])('%j with %j is this machine: %s', (socket, headers, loopback) => {
  expect(credentialsOf(request(socket, headers)).loopback).toBe(loopback)
})

test('the address is the socket’s, never a header’s', () => {
  const { sourceIp } = credentialsOf(request({ remoteAddress: '::ffff:192.0.2.1' }, { 'x-forwarded-for': '203.0.113.9' }))
  expect(sourceIp).toBe('192.0.2.1')
})

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test.each<[authorization: string, found: object]>([
  ['Bearer ci.s3cret', { token: 'ci.s3cret' }],
  ['bearer ci.s3cret', { token: 'ci.s3cret' }],
  [basic('dev:pass:word'), { username: 'dev', password: 'pass:word' }],
  [basic('dev'), { username: '', password: '' }],
  ['Basic !!!', { username: '', password: '' }],
  ['Negotiate abc', { token: '' }],
  ['nonsense', { token: '' }],
  ['', { token: '' }],
])('authorization %j is never nobody', (authorization, found) => {
  expect(credentialsOf(request({}, { authorization }))).toMatchObject(found)
})

describe('over TLS', () => {
  const raw = Buffer.from([1, 2, 3])
  const tls = { encrypted: true, servername: 'gw.example', getPeerX509Certificate: () => ({ raw }) }

  test('a verified certificate counts', () => {
    expect(credentialsOf(request({ ...tls, authorized: true }))).toMatchObject({ certificate: raw, domainName: 'gw.example' })
  })

  test('another does not', () => {
    expect(credentialsOf(request({ ...tls, authorized: false }))).not.toHaveProperty('certificate')
    expect(credentialsOf(request({ ...tls, authorized: true, getPeerX509Certificate: () => undefined }))).not.toHaveProperty('certificate')
    expect(credentialsOf(request({ ...tls, encrypted: false, authorized: true }))).not.toHaveProperty('certificate')
  })
})
