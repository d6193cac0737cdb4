// What is special about consuming by MQTT.js: logins, groups, limits in flight, and publishing back.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type UpstreamConfig, upstreamSchema } from '../../../gateway/broker/config.ts'
import { createUpstreamBroker } from '../../../gateway/broker/upstream.ts'
import { parseConfig } from '../../../gateway/config.ts'
import { createSpyIngest, topicOf } from '../../contract/broker.ts'
import { createMessage } from '../../helpers/message.ts'
import { hasMosquitto, type MosquittoOptions } from '../../helpers/mosquitto.ts'
import { aDirectory, hasProgram } from '../../helpers/program.ts'
import { aRemoteBroker } from '../../helpers/remote-broker.ts'

async function open(config: Partial<UpstreamConfig> = {}, mosquitto: MosquittoOptions = {}) {
  const spy = createSpyIngest()
  const remote = await aRemoteBroker(
    {
      mosquitto,
      create: (port, options) =>
        createUpstreamBroker(upstreamSchema.parse({ kind: 'upstream', url: `mqtt://127.0.0.1:${port}`, ...config }), options),
    },
    spy.ingest,
  )
  onTestFinished(() => remote.broker.stop())
  const device = async (clientId: string, options: object = {}) => {
    const client = await remote.device(clientId, options)
    onTestFinished(() => void client.end(true))
    return client
  }
  return { ...remote, device, spy }
}

const title = `upstream${hasMosquitto ? '' : ' (skipped: mosquitto is not installed)'}`

describe.skipIf(!hasMosquitto)(title, () => {
  test.each(['5', '3.1.1'] as const)('MQTT %s: with few in flight, many more come on, and never more at once', async (protocolVersion) => {
    const { device, spy } = await open({ protocolVersion, maxInFlight: 3 })
    let underWay = 0
    let most = 0
    spy.answer = async () => {
      most = Math.max(most, ++underWay)
      await new Promise(setImmediate)
      underWay--
    }
    const client = await device('f-1')
    await Promise.all(Array.from({ length: 500 }, (_, n) => client.publishAsync(topicOf('f-1'), String(n), { qos: 1 })))
    await spy.count(500)
    expect(spy.texts()).toEqual(Array.from({ length: 500 }, (_, n) => String(n)))
    expect(most).toBe(3)
  })

  test('several connections share a group: each message comes once', async () => {
    const { device, spy, observe } = await open({ group: 'weir', connections: 3 })
    expect(observe.of('broker.connected').map(({ clientId }) => clientId)).toEqual(
      expect.arrayContaining(['weir-test', 'weir-test-2', 'weir-test-3']),
    )
    const client = await device('f-1')
    await Promise.all(Array.from({ length: 300 }, (_, n) => client.publishAsync(topicOf('f-1'), String(n), { qos: 1 })))
    await spy.count(300)
    expect(new Set(spy.texts()).size).toBe(300)
  })

  test('several connections without a group are a mistake', () => {
    const broker = { kind: 'upstream', url: 'mqtt://127.0.0.1', connections: 2 }
    expect(() => parseConfig({ broker })).toThrow('broker.connections: several connections need a group')
  })

  test('the configuration says whose a message is, never the payload', async () => {
    const { device, spy } = await open({ tenant: 'globex', clientIdTopicLevel: null })
    const client = await device('f-1')
    await client.publishAsync(topicOf('f-1'), '{"tenant":"acme","clientId":"x"}', { qos: 1 })
    await spy.count(1)
    expect(spy.seen[0]!.source).toEqual({ clientId: 'weir-test', transport: 'upstream', tenant: 'globex' })
  })

  test('MQTT 5 properties come along, and a retained message comes once for all connections of a session', async () => {
    const { device, cut, spy, observe } = await open()
    const client = await device('f-1', { protocolVersion: 5 })
    const properties = { contentType: 'application/json', userProperties: { a: ['1', '2'] }, correlationData: Buffer.from('c') }
    await client.publishAsync(topicOf('f-1'), 'kept', { qos: 1, retain: true, properties })
    await spy.count(1)
    expect(spy.seen[0]!.properties).toMatchObject({
      contentType: 'application/json',
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    await cut()
    await expect.poll(() => observe.of('broker.connected').length).toBe(2)
    await client.publishAsync(topicOf('f-1'), 'next', { qos: 1 })
    await spy.count(2)
    expect(spy.texts()).toEqual(['kept', 'next'])
  })

  test('what the gateway does not subscribe to is ingested here, and published there', async () => {
    const { broker, device, spy } = await open({ filters: ['dt/#'] })
    const client = await device('listener')
    const heard = Promise.withResolvers<string>()
    client.on('message', (topic) => heard.resolve(topic))
    await client.subscribeAsync('cmd/#')
    await broker.publish(createMessage('now', { topic: 'cmd/f-1/reboot' }))
    expect(spy.texts()).toEqual(['now'])
    expect(await heard.promise).toBe('cmd/f-1/reboot')
  })

  test('Basic Ingest stays here', async () => {
    const { broker, device, spy } = await open()
    const client = await device('listener')
    const heard: string[] = []
    client.on('message', (topic) => heard.push(topic))
    await client.subscribeAsync(['$aws/#', 'last'])
    await broker.publish(createMessage('x', { topic: '$aws/rules/telemetry/dt/a' }))
    await broker.publish(createMessage('x', { topic: 'last' }))
    await expect.poll(() => heard).toEqual(['last'])
    expect(spy.seen.map(({ topic }) => topic)).toEqual(['$aws/rules/telemetry/dt/a', 'last'])
  })

  test('MQTT 5 carries how often a message was republished; MQTT 3.1.1 cannot, and refuses what might never end', async () => {
    const five = await open()
    await five.broker.publish(createMessage('again', { topic: topicOf('f-1'), hops: 3 }))
    await five.spy.count(1)
    expect(five.spy.seen[0]!.hops).toBe(3)
    const three = await open({ protocolVersion: '3.1.1' })
    await expect(three.broker.publish(createMessage('again', { topic: topicOf('f-1'), hops: 1 }))).rejects.toMatchObject({
      code: 'REPUBLISH_LOOP',
      retryable: false,
    })
  })

  test.skipIf(!hasProgram('mosquitto_passwd'))(
    'a login from a file; a wrong one leaves the gateway degraded, and a right one is taken at the next try',
    async () => {
      const dir = aDirectory()
      const users = join(dir, 'users')
      writeFileSync(users, '', { mode: 0o600 })
      spawnSync('mosquitto_passwd', ['-b', users, 'weir', 's3cret'])
      const passwordFile = join(dir, 'password')
      writeFileSync(passwordFile, 'wrong\n')
      const mosquitto = { config: [`password_file ${users}`, 'allow_anonymous false'] }
      const { observe } = await open({ username: 'weir', passwordFile }, mosquitto)
      expect(observe.of('gateway.degraded')).toMatchObject([{ code: 'BROKER_REFUSED' }])
      writeFileSync(passwordFile, 's3cret\n')
      await observe.next('gateway.recovered')
      expect(JSON.stringify(observe.recorded)).not.toMatch(/wrong|s3cret/)
    },
  )

  test('files that cannot be read and ports where nobody listens are told', async () => {
    const { options } = await open()
    const config = (more: object) => upstreamSchema.parse({ kind: 'upstream', url: 'mqtts://127.0.0.1:1', ...more })
    expect(() => createUpstreamBroker(config({ tls: { ca: '/none' } }), options)).toThrow('broker.tls.ca: /none cannot be read (ENOENT)')
    expect(() => createUpstreamBroker(config({ passwordFile: '/none' }), options)).toThrow('broker.passwordFile: /none cannot be read')
  })
})
