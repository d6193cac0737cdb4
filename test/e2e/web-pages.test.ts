// What a web page, a proxy or a strange request target reaches on the listeners of a real gateway that trusts loopback.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { spawnGateway } from '../helpers/program.ts'
import { call, queueUrl, receiveAll } from '../helpers/sqs.ts'

let gateway: Awaited<ReturnType<typeof spawnGateway>>
beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const rule = {
    ...{ name: 'all', awsIotSqlVersion: '2016-03-23', sql: "SELECT topic() AS topic FROM '#'" },
    actions: [{ sqs: { queueUrl: 'telemetry' } }],
  }
  mkdirSync(join(dir, 'rules'))
  writeFileSync(join(dir, 'rules/all.json'), JSON.stringify(rule))
  const places = ['--data-dir', join(dir, 'data'), '--rules', join(dir, 'rules')]
  gateway = await spawnGateway([...places, '--allow-host', 'weir', '--allow-host', 'gw.example'])
  return () => {
    gateway.child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
})

type Listener = 'admin' | 'http' | 'websocket' | 'mqttWs' | 'aws'

interface Ask {
  readonly target: string
  readonly method?: string
  readonly version?: string
  readonly headers?: readonly string[]
  readonly body?: string
}

/** The first line and the rest of the answer to a request written by hand. */
async function ask(listener: Listener, { target, method = 'POST', version = '1.1', headers = ['Host: localhost'], body = '' }: Ask) {
  const socket = connect(gateway.ports[listener]!, '127.0.0.1')
  const head = [`${method} ${target} HTTP/${version}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`]
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1'))
  const [first] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return { status: Number(first.toString().slice(9, 12)), text: first.toString() }
}

const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
const query = 'Content-Type: application/x-www-form-urlencoded'

/** A request that each listener grants to a program on this machine. */
const granted: Readonly<Record<Listener, Ask & { readonly status: number }>> = {
  admin: { target: '/api/ledger', method: 'GET', status: 200 },
  http: { target: '/topics/a?qos=1', body: '{}', status: 200 },
  websocket: { target: '/', method: 'GET', headers: upgrade, status: 101 },
  mqttWs: { target: '/mqtt', method: 'GET', headers: [...upgrade, 'Sec-WebSocket-Protocol: mqtt'], status: 101 },
  aws: { target: '/', headers: [query], body: 'Action=ListTopics', status: 200 },
}

const listeners = Object.keys(granted) as Listener[]

async function statusWith(listener: Listener, ...headers: readonly string[]): Promise<number> {
  const request = granted[listener]
  return (await ask(listener, { ...request, headers: [...headers, ...(request.headers ?? [])] })).status
}

describe.each(listeners)('%s', (listener) => {
  const { status } = granted[listener]

  test.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '[::1]', 'a.localhost', 'weir', 'gw.example:8080'])(
    'answers to Host %s',
    async (host) => {
      expect(await statusWith(listener, `Host: ${host}`)).toBe(status)
    },
  )

  test.each(['evil.example', '127.0.0.1.evil.example', '127.0.0.1@evil.example', 'evil.example:80'])('refuses Host %s', async (host) => {
    expect(await statusWith(listener, `Host: ${host}`)).toBe(421)
  })

  test('refuses two Host headers', async () => {
    expect([400, 421]).toContain(await statusWith(listener, 'Host: localhost', 'Host: evil.example'))
  })

  test('refuses a missing Host', async () => {
    expect([400, 421]).toContain(await statusWith(listener))
  })

  test.each(['Origin: http://evil.example', 'Origin: null', 'Origin: http://localhost:3', 'Sec-Fetch-Site: cross-site'])(
    'refuses a request of another site: %s',
    async (header) => expect(await statusWith(listener, 'Host: localhost', header)).toBe(403),
  )

  test.each(['X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: localhost', 'Forwarded: for=127.0.0.1', 'Via: 1.1 a', 'X-Real-IP: ::1'])(
    'refuses a forwarded request: %s',
    async (header) => expect(await statusWith(listener, 'Host: localhost', header)).toBe(403),
  )

  test('answers a page of an allowed host', async () => {
    expect(await statusWith(listener, 'Host: weir', 'Origin: https://gw.example')).toBe(status)
  })
})

test('the log names the flag that allows a refused host, once', async () => {
  await statusWith('admin', 'Host: once.example')
  await statusWith('admin', 'Host: once.example')
  const line = JSON.parse(await gateway.line('"caller":"once.example"'))
  expect(line).toMatchObject({ level: 'warn', detail: expect.stringContaining('--allow-host "once.example"') })
})

test('a refusal is a problem document without the name', async () => {
  const { text } = await ask('http', { target: '/topics/a', headers: ['Host: evil.example'] })
  expect(text).toContain('content-type: application/problem+json')
  expect(text).toContain('urn:weir:problem:host-not-allowed')
  expect(text).not.toContain('evil.example')
})

test('HTTP/1.0 needs no Host', async () => {
  expect((await ask('http', { target: '/topics/a', version: '1.0', headers: [] })).status).toBe(200)
})

test('a form of a web page neither raises an alert nor deletes a topic', async () => {
  const form = (action: string) => ({ target: '/', headers: ['Host: localhost', query, 'Origin: http://evil.example'], body: action })
  const arn = 'arn:aws:sns:us-east-1:000000000000:alerts'
  expect((await ask('aws', form(`Action=Publish&TopicArn=${arn}&Message=forged`))).status).toBe(403)
  expect((await ask('aws', form(`Action=DeleteTopic&TopicArn=${arn}`))).status).toBe(403)
  const { text } = await ask('aws', { target: '/', headers: ['Host: localhost', query], body: 'Action=ListTopics' })
  expect(text).toContain(arn)
  expect(text.toLowerCase()).not.toContain('access-control-allow')
  const { Attributes } = await call(gateway.ports.aws!, 'GetQueueAttributes', {
    QueueUrl: queueUrl(gateway.ports.aws!, 'alerts'),
    AttributeNames: ['ApproximateNumberOfMessages'],
  })
  expect(Attributes.ApproximateNumberOfMessages).toBe('0')
})

describe('the topic of an HTTP publish', () => {
  const base = 'dt/coldchain/acme/s/f-1/'
  test.each([
    [`/topics/${base}1`, `${base}1`],
    [`/topics/${encodeURIComponent(`${base}2`)}`, `${base}2`],
    [`http://localhost/topics/${base}3`, `${base}3`],
    [`HTTP://LOCALHOST/topics/${base}4?qos=1`, `${base}4`],
    [`/topics/${base}a%252Fb`, `${base}a%2Fb`],
    [`/topics/${base}a%3Fqos=1`, `${base}a?qos=1`],
    [`/topics/${base}/a`, `${base}/a`],
    [`/topics/${base}a;b`, `${base}a;b`],
    [`/topics/${base}%C3%A9`, `${base}é`],
  ])('of %s is %s', async (target, topic) => {
    const { ports } = gateway
    expect((await ask('http', { target, headers: ['Host: localhost'], body: '{"temperature":1}' })).status).toBe(200)
    const next = async () => (await receiveAll(ports.aws!, 'telemetry')).map(({ body }) => JSON.parse(body).topic)
    await expect.poll(next, { interval: 50 }).toContain(topic)
  })

  test.each([
    ['/%74opics/a', 404],
    ['/topics%2Fa', 404],
    ['//topics/a', 404],
    ['/x/../topics/a', 404],
    ['http://localhost//topics/a', 404],
    ['http://localhost', 404],
    ['/TOPICS/a', 404],
    ['/topics/a/../b', 400],
    ['/topics/../topics/a', 400],
    ['/topics/a/%2e%2E/b', 400],
    ['/topics/./a', 400],
    ['/topics/a#b', 400],
    ['/topics/a#?qos=1', 400],
    ['/topics/a%', 400],
    ['/topics/a%zz', 400],
    ['/topics/a%00b', 400],
    ['/topics/a%C0%AF', 400],
    ['/topics/a%ED%A0%80', 400],
    ['/topics/a\u00c3\u00a9', 400],
    ['/topics/a+b', 400],
    ['/topics/', 400],
    ['/topics/a\\b c', 400],
    ['http://evil.example/topics/a', 421],
    ['http://localhost@evil.example/topics/a', 421],
    ['http://127.0.0.1/topics/a', 421],
    ['localhost/topics/a', 400],
  ])('%s is refused with %i', async (target, status) => {
    expect((await ask('http', { target })).status).toBe(status)
  })
})

test.each([
  ['/api/devices/a%252Fb/commands/ping', '404 device-unknown'],
  ['http://localhost/api/devices/nobody/commands/ping', '404 device-unknown'],
  ['/api/devices/nobody/commands/ping#x', '400 request-invalid'],
  ['/api/devices/nobody/commands/%', '400 request-invalid'],
  ['http://evil.example/api/devices/nobody/commands/ping', '421 host-not-allowed'],
])('a command at %s: %s', async (target, answer) => {
  const { status, text } = await ask('admin', { target })
  expect(`${status} ${/urn:weir:problem:([\w-]+)/.exec(text)?.[1]}`).toBe(answer)
})

test('a PROXY protocol preface is malformed MQTT', async () => {
  const socket = connect(gateway.ports.mqtt!, '127.0.0.1')
  socket.write('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')
  socket.resume()
  await once(socket, 'close')
})
