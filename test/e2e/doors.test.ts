// The doors of a real gateway: the same reading through each of them, and a device that tries to be another.
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { generate } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { aCertifiedGateway, topicOf } from '../helpers/certified-gateway.ts'
import { call, queueUrl, receiveAll } from '../helpers/sqs.ts'

type Gateway = Awaited<ReturnType<typeof aCertifiedGateway>>

const password = { username: 'dev', password: 's3cret' }

async function device({ ports, tlsOf }: Gateway, id: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(
    `mqtts://127.0.0.1:${ports.mqtts}`,
    {
      ...{ clientId: id, reconnectPeriod: 0, connectTimeout: 5_000, ...tlsOf(id), ...options },
    },
    false,
  )
  client.on('error', () => undefined)
  onTestFinished(() => void client.end(true))
  return client
}

/** Posts with a certificate, a token, or neither; answers with status and body. */
async function post({ ports, tlsOf }: Gateway, topic: string, as: { certificate?: string; token?: string }, payload = '{"n":1}') {
  const agent = new Agent(tlsOf(as.certificate) as object)
  const headers = as.token === undefined ? {} : { authorization: `Bearer ${as.token}` }
  const path = `/topics/${encodeURIComponent(topic)}?qos=1`
  const sent = request({ host: '127.0.0.1', port: ports.https, agent, method: 'POST', path, headers })
  sent.end(payload)
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  agent.destroy()
  return { status: response.statusCode as number, body }
}

async function webSocketAnswer(url: string, options: object, frame: object): Promise<{ readonly statusCode: number }> {
  const socket = new WebSocket(url, options)
  await once(socket, 'open')
  socket.send(JSON.stringify(frame))
  const [data] = await once(socket, 'message')
  socket.close()
  return JSON.parse(String(data))
}

test('the same reading through every door is the same message in the queue', async () => {
  const gateway = await aCertifiedGateway()
  const { ports, tlsOf } = gateway
  const topic = topicOf('f-1')
  const payload = '{"device":"f-1","seq":1,"temperature":-18.25}'
  const posted = httpRequest({
    ...{ host: '127.0.0.1', port: ports.http, method: 'POST', path: `/topics/${topic}?qos=1` },
    headers: { authorization: 'Bearer ci.s3cret' },
  })
  const doors: Readonly<Record<string, () => Promise<unknown>>> = {
    mqtt: async () => {
      const client = await connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { clientId: 'plain', ...password })
      await client.publishAsync(topic, payload, { qos: 1 })
      await client.endAsync()
    },
    mqtts: async () => (await device(gateway, 'f-1')).publishAsync(topic, payload, { qos: 1 }),
    mqttWs: async () => {
      const client = await connectAsync(`ws://127.0.0.1:${ports.mqttWs}/mqtt`, { clientId: 'ws', ...password })
      await client.publishAsync(topic, payload, { qos: 1 })
      await client.endAsync()
    },
    mqttWss: async () => {
      const client = await connectAsync(`wss://127.0.0.1:${ports.mqttWss}/mqtt`, { clientId: 'f-3', wsOptions: tlsOf('f-3') as object })
      await client.publishAsync(topic, payload, { qos: 1 })
      await client.endAsync()
    },
    http: async () => {
      posted.end(payload)
      const [{ statusCode }] = await once(posted, 'response')
      expect(statusCode).toBe(200)
    },
    https: async () => expect(await post(gateway, topic, { certificate: 'f-1' }, payload)).toMatchObject({ status: 200 }),
    websocket: async () => {
      const frame = { action: 'publish', topic, payload, id: '1' }
      const answer = await webSocketAnswer(`ws://127.0.0.1:${ports.websocket}?token=ci.s3cret`, {}, frame)
      expect(answer).toEqual({ id: '1', statusCode: 200 })
    },
    websockets: async () => {
      const frame = { action: 'publish', topic, payload: JSON.parse(payload), id: 1 }
      const answer = await webSocketAnswer(`wss://127.0.0.1:${ports.websockets}`, tlsOf('f-1'), frame)
      expect(answer).toEqual({ id: 1, statusCode: 200 })
    },
  }
  for (const publish of Object.values(doors)) await publish()
  await expect.poll(() => waiting(gateway)).toBe(Object.keys(doors).length)
  const received = await receiveAll(ports.aws!, 'telemetry')
  const same = received.map(({ body, attributes: { messageId: _, ...attributes } }) => ({ body: JSON.parse(body), attributes }))
  expect(new Set(same.map((message) => JSON.stringify(message))).size).toBe(1)
  expect(same[0]!.body).toEqual({ ...JSON.parse(payload), topic })
  const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text()
  for (const transport of ['mqtt', 'mqtts', 'mqtt-ws', 'http', 'https', 'websocket']) expect(metrics).toContain(`transport="${transport}"`)
})

async function waiting({ ports }: Gateway): Promise<number> {
  const { Attributes } = await call(ports.aws!, 'GetQueueAttributes', {
    QueueUrl: queueUrl(ports.aws!, 'telemetry'),
    AttributeNames: ['ApproximateNumberOfMessages'],
  })
  return Number(Attributes.ApproximateNumberOfMessages)
}

test('a device is itself, and nobody else', async () => {
  const gateway = await aCertifiedGateway()
  const { ports, tlsOf } = gateway
  const refusedConnect = (id: string, options: IClientOptions) => expect(device(gateway, id, options), JSON.stringify(id)).rejects.toThrow()

  // Who: the certificate, not what anybody says.
  await refusedConnect('f-2', tlsOf('f-1'))
  await refusedConnect('f-1', { cert: '', key: '' })
  await refusedConnect('f-1', tlsOf('foreign/f-1'))
  await refusedConnect('f-1', tlsOf('expired/f-1'))
  await refusedConnect('f-revoked', {})
  await refusedConnect('', tlsOf('f-1'))
  await expect(connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { clientId: 'f-1', reconnectPeriod: 0 }, false)).rejects.toThrow(
    /[Nn]ot authorized/,
  )
  await expect(
    connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { clientId: 'f-1', reconnectPeriod: 0, username: 'dev', password: 'wrong' }, false),
  ).rejects.toThrow()
  for (const certificate of ['foreign/f-1', 'expired/f-1', 'f-revoked'])
    expect((await post(gateway, topicOf('f-1'), { certificate })).status).toBe(401)
  expect((await post(gateway, topicOf('f-1'), {})).status).toBe(401)
  expect((await post(gateway, topicOf('f-1'), { token: 'ci.wrong' })).status).toBe(401)

  // What: below its own name. MQTT 5 hears 135, MQTT 3.1.1 loses the connection.
  const five = await device(gateway, 'f-1', { protocolVersion: 5 })
  await expect(five.publishAsync(topicOf('f-2'), '{"n":1}', { qos: 1 })).rejects.toMatchObject({ code: 135 })
  await expect(five.publishAsync(topicOf('f-1'), '{"n":2}', { qos: 1, retain: true })).rejects.toMatchObject({ code: 135 })
  for (const filter of ['#', '+/#', 'dt/coldchain/globex/#', 'cmd/coldchain/globex/s/f-2/+/req/+', '$SYS/#', '$aws/events/#'])
    await expect(five.subscribeAsync(filter), filter).rejects.toThrow()
  await five.publishAsync(topicOf('f-1'), '{"n":"mine"}', { qos: 1 })
  await five.endAsync()
  const three = await device(gateway, 'f-1')
  const closed = new Promise((resolve) => three.once('close', () => resolve(true)))
  three.publish(topicOf('f-2'), '{"n":3}', { qos: 1 })
  await closed
  await refusedConnect('f-1', { will: { topic: topicOf('f-2'), payload: Buffer.from('gone'), qos: 1, retain: false } })
  expect((await post(gateway, topicOf('f-2'), { certificate: 'f-1' })).status).toBe(403)

  // Receive: a filter that covers everything brings what the policy lets through.
  const listener = await device(gateway, 'f-3')
  const heard: string[] = []
  listener.on('message', (topic) => heard.push(topic))
  await listener.subscribeAsync('#', { qos: 1 })
  const second = await device(gateway, 'f-2')
  await second.publishAsync(topicOf('f-2'), '{"n":"mine"}', { qos: 1 })
  await listener.publishAsync(topicOf('f-3'), '{"n":"mine"}', { qos: 1 })
  await expect.poll(() => heard).toEqual([topicOf('f-3')])

  // Names that are none.
  const own = 'dt/coldchain/acme/s/f-1/'
  const names = ['+', '#', 'a\0b', Buffer.from([0xc0, 0xaf]), Buffer.from([0xed, 0xa0, 0x80])]
  for (const name of names)
    expect(await rawPublish(gateway, Buffer.concat([Buffer.from(own), Buffer.from(name)])), String(name)).toBe('closed')
  expect(await rawPublish(gateway, Buffer.from('$aws/things/f-1/shadow/update'))).toBe('closed')
  expect(await rawPublish(gateway, Buffer.from(`${own}telemetry`))).toBe('acknowledged')

  // Two lengths, two requests hidden in one.
  const smuggled = `POST /topics/a?qos=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ci.s3cret\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nPOST /topics/${topicOf('f-1')} HTTP/1.1\r\nhost: x\r\n\r\n`
  expect(await rawHttp(ports.http!, smuggled)).toMatch(/^HTTP\/1.1 400 /)

  await expect.poll(() => waiting(gateway)).toBe(4)
  const bodies = (await receiveAll(ports.aws!, 'telemetry')).map(({ body }) => JSON.parse(body))
  expect(bodies.map(({ topic, n }) => `${topic} ${n}`).toSorted()).toEqual(
    [`${topicOf('f-1')} mine`, `${topicOf('f-2')} mine`, `${topicOf('f-3')} mine`, `${topicOf('f-1')} raw`].toSorted(),
  )
}, 40_000)

/** A PUBLISH whose topic is whatever bytes, from f-1. */
async function rawPublish({ ports, tlsOf }: Gateway, topic: Buffer): Promise<'closed' | 'acknowledged'> {
  const socket = connectTls({ host: '127.0.0.1', port: ports.mqtts!, ...(tlsOf('f-1') as object) })
  socket.on('error', () => undefined)
  const ended = once(socket, 'close')
  await once(socket, 'secureConnect')
  socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'f-1', clean: true, keepalive: 60 }))
  const [connack] = (await once(socket, 'data')) as [Buffer]
  expect(connack.toString('hex')).toBe('20020000')
  const payload = Buffer.from('{"n":"raw"}')
  const rest = Buffer.concat([Buffer.from([topic.length >> 8, topic.length & 0xff]), topic, Buffer.from([0, 7]), payload])
  socket.write(Buffer.concat([Buffer.from([0x32, rest.length]), rest]))
  const answer = await Promise.race([once(socket, 'data').then(() => 'acknowledged' as const), ended.then(() => 'closed' as const)])
  socket.destroy()
  return answer
}

async function rawHttp(port: number, text: string): Promise<string> {
  const socket = connectPlain(port, '127.0.0.1')
  socket.write(text)
  let all = ''
  for await (const chunk of socket) all += chunk
  return all
}

test('every TLS listener takes TLS 1.2 with forward secrecy and AEAD, and TLS 1.3, and nothing else', async () => {
  const { ports, tlsOf } = await aCertifiedGateway()
  const listeners = ['mqtts', 'mqttWss', 'https', 'websockets']
  /** The suite that both sides agree on. */
  const agree = async (listener: string, options: ConnectionOptions) => {
    const socket = connectTls({ host: '127.0.0.1', port: ports[listener]!, ...(tlsOf('f-1') as object), ...options })
    const refused = once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code)
    const agreed = once(socket, 'secureConnect').then(() => `${socket.getProtocol()} ${socket.getCipher().name}`)
    agreed.catch(() => undefined)
    return Promise.race([agreed, refused]).finally(() => socket.destroy())
  }
  const only = (ciphers: string) => ({ ciphers, maxVersion: 'TLSv1.2' }) as const
  for (const listener of listeners) {
    // What the policies of AWS IoT Core and the device SDKs have in common with it.
    for (const suite of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305'])
      expect(await agree(listener, only(suite)), listener).toBe(`TLSv1.2 ${suite}`)
    for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])
      expect(await agree(listener, { ciphers: suite, minVersion: 'TLSv1.3' }), listener).toBe(`TLSv1.3 ${suite}`)
    for (const suite of ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA', 'ECDHE-ECDSA-AES256-SHA384'])
      expect(await agree(listener, only(suite)), `${listener} ${suite}`).toMatch(/^ERR_SSL_.*HANDSHAKE_FAILURE$/)
    const withoutAead = only('ALL:!AESGCM:!AESCCM:!CHACHA20:!ARIAGCM:@SECLEVEL=0')
    expect(await agree(listener, withoutAead), listener).toMatch(/^ERR_SSL_.*HANDSHAKE_FAILURE$/)
    expect(await agree(listener, { ...only('ALL:@SECLEVEL=0'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }), listener).toMatch(/^ERR_SSL_/)
  }
})
