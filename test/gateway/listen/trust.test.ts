import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { createGuards, type Trusts } from '../../../gateway/listen/trust.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const loopback = { remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' }
const remote = { remoteAddress: '192.0.2.1', localAddress: '192.0.2.2' }

interface Asked {
  readonly hosts?: readonly string[]
  readonly headers?: IncomingHttpHeaders
  readonly url?: string
  readonly method?: string
  readonly httpVersion?: string
  readonly socket?: object
}

const request = ({ hosts = ['127.0.0.1:8080'], headers = {}, url = '/', method = 'POST', httpVersion = '1.1', socket = loopback }: Asked) =>
  ({
    ...{ url, method, httpVersion, socket, headers: { ...(hosts[0] !== undefined && { host: hosts[0] }), ...headers } },
    rawHeaders: [...hosts.flatMap((host) => ['hOsT', host]), ...Object.entries(headers).flat()],
  }) as unknown as IncomingMessage

function setUp(trusts: Trusts = 'everyone') {
  const observe = createSpyObserve()
  const guard = createGuards({ allowHosts: ['Weir', 'gw.example.'], observe })('admin', trusts)
  return { observe, codeFor: (asked: Asked) => guard(request(asked))?.code }
}

describe('a Host header', () => {
  test.each([
    ...['localhost', 'LocalHost:8080', 'localhost.', 'a.localhost', '127.0.0.1', '127.0.0.1:8080', '192.168.1.5:80', '10.0.0.1.'],
    ...['[::1]', '[::1]:8080', '[FE80::1]', 'weir:8080', 'WEIR', 'weir.', 'gw.example', 'gw.example:443'],
  ])('%j is allowed', (host) => expect(setUp().codeFor({ hosts: [host] })).toBeUndefined())

  test.each([
    ...['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example', 'evillocalhost', 'weir.evil.example'],
    ...['127.0.0.1@evil.example', 'evil.example@127.0.0.1', 'user:127.0.0.1@evil.example', '127.0.0.1:80@evil.example', 'http://127.0.0.1'],
    ...[
      '127.0.0.1, evil.example',
      '127.0.0.1 evil.example',
      '127.0.0.1/evil',
      '127.0.0.1?',
      '127.0.0.1#',
      '127.0.0.1:',
      '127.0.0.1:port',
      '',
    ],
    ...[
      '[::1]evil.example',
      '[::1',
      '::1',
      '[evil.example]',
      '[127.0.0.1]',
      '127.1',
      '2130706433',
      '0x7f000001',
      'localhost..',
      '.',
      'löcalhost',
    ],
  ])('%j is refused', (host) => expect(setUp().codeFor({ hosts: [host] })).toBe('HOST_NOT_ALLOWED'))

  test('is refused when there are several, also of one name', () => {
    const { codeFor } = setUp()
    expect(codeFor({ hosts: ['127.0.0.1', 'evil.example'] })).toBe('HOST_NOT_ALLOWED')
    expect(codeFor({ hosts: ['localhost', 'localhost'] })).toBe('HOST_NOT_ALLOWED')
  })

  test('may be missing in HTTP/1.0 only', () => {
    const { codeFor } = setUp()
    expect(codeFor({ hosts: [], httpVersion: '1.0' })).toBeUndefined()
    expect(codeFor({ hosts: [] })).toBe('HOST_NOT_ALLOWED')
  })

  test.each([
    [['localhost'], 'http://localhost/x', undefined],
    [[], 'http://localhost:8080/x', undefined],
    [[], 'http://evil.example/x', 'HOST_NOT_ALLOWED'],
    [['localhost'], 'http://evil.example/x', 'HOST_NOT_ALLOWED'],
    [['localhost'], 'http://127.0.0.1/x', 'HOST_NOT_ALLOWED'],
    [['evil.example'], 'http://localhost/x', 'HOST_NOT_ALLOWED'],
    [['localhost'], 'http://a@localhost/x', 'HOST_NOT_ALLOWED'],
    [['localhost'], 'ftp://evil.example/x', 'HOST_NOT_ALLOWED'],
  ])('%j and the target %j: %s', (hosts, url, code) => {
    expect(setUp().codeFor({ hosts, url, httpVersion: '1.0' })).toBe(code)
  })
})

describe('a browser’s request', () => {
  test.each<[headers: IncomingHttpHeaders, allowed: boolean]>([
    [{ origin: 'http://127.0.0.1:8080' }, true],
    [{ origin: 'http://localhost:8080' }, true],
    [{ origin: 'http://[::1]:8080' }, true],
    [{ origin: 'https://weir' }, true],
    [{ origin: 'http://gw.example:3000', 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ origin: 'http://localhost:3000' }, false],
    [{ origin: 'https://localhost:8080' }, false],
    [{ origin: 'http://localhost' }, false],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'http://127.0.0.1.evil.example:8080' }, false],
    [{ origin: 'http://203.0.113.9:8080' }, false],
    [{ origin: 'http://evil.example@127.0.0.1:8080' }, false],
    [{ origin: 'http://127.0.0.1:8080, http://evil.example' }, false],
    [{ origin: 'http://127.0.0.1:8080/' }, false],
    [{ origin: 'chrome-extension://weir' }, false],
    [{ origin: 'chrome-extension://abcdefg' }, false],
    [{ origin: 'null' }, false],
    [{ origin: '' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, false],
  ])('%j is allowed: %s', (headers, allowed) => {
    expect(setUp().codeFor({ headers })).toBe(allowed ? undefined : 'ORIGIN_NOT_ALLOWED')
  })

  test('may follow a link', () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect(setUp().codeFor({ method: 'GET', headers })).toBeUndefined()
  })

  test('is compared by port 80 when the Host has none', () => {
    expect(setUp().codeFor({ hosts: ['localhost'], headers: { origin: 'http://localhost' } })).toBeUndefined()
  })
})

describe('a forwarding header', () => {
  test.each([
    ...['forwarded', 'via', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded', 'cf-connecting-ip'],
    ...['true-client-ip', 'x-client-ip', 'x-original-host', 'fly-client-ip', 'cdn-loop'],
  ])('%s is refused on loopback', (name) => {
    expect(setUp('everyone').codeFor({ headers: { [name]: '127.0.0.1' } })).toBe('PROXY_NOT_TRUSTED')
    expect(setUp('loopback').codeFor({ headers: { [name]: '' } })).toBe('PROXY_NOT_TRUSTED')
  })

  test('says nothing on another connection, whose address is not trusted', () => {
    expect(setUp('everyone').codeFor({ socket: remote, headers: { 'x-forwarded-for': '1' } })).toBeUndefined()
  })
})

test('trust in loopback guards loopback connections only', () => {
  const { codeFor } = setUp('loopback')
  expect(codeFor({ hosts: ['evil.example'] })).toBe('HOST_NOT_ALLOWED')
  expect(codeFor({ hosts: ['evil.example'], socket: remote })).toBeUndefined()
})

test('a listener that trusts nobody refuses nothing here', () => {
  expect(setUp('nobody').codeFor({ hosts: ['evil.example'], headers: { origin: 'null', via: 'x' } })).toBeUndefined()
})

test('a refused name is logged once with its flag, and only so many names are', () => {
  const { observe, codeFor } = setUp()
  for (const host of ['evil.example', 'evil.example:81', 'EVIL.example']) codeFor({ hosts: [host] })
  expect(observe.of('caller.untrusted')).toEqual([
    { listener: 'admin', code: 'HOST_NOT_ALLOWED', caller: 'evil.example', detail: expect.stringContaining('--allow-host "evil.example"') },
  ])
  for (let i = 0; i < 1_000; i++) codeFor({ hosts: [`${i}.example`] })
  expect(observe.of('caller.untrusted')).toHaveLength(100)
})

test('a name in the log is short and printable', () => {
  const { observe, codeFor } = setUp()
  codeFor({ hosts: [`\u001b[31m${'x'.repeat(10_000)}`] })
  const [{ detail } = {}] = observe.of('caller.untrusted')
  expect(detail!.length).toBeLessThan(400)
  expect(detail).not.toContain('\u001b')
})
