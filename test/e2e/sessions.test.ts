// What a PUBACK promises to a device that is away and to subscribers to come: it outlives the gateway, also one that is killed.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt'
import { expect, test } from 'vitest'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aDirectory, aGatewayProcess } from '../helpers/program.ts'

interface Heard {
  readonly client: MqttClient
  readonly connack: IConnackPacket
  /** Topic, payload, RETAIN flag. */
  readonly messages: readonly (readonly [string, string, boolean])[]
}

/** Listens from the first packet behind the CONNACK on. */
async function listening(port: number, options: IClientOptions): Promise<Heard> {
  const messages: [string, string, boolean][] = []
  const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options })
  client.on('message', (topic, payload, { retain }) => messages.push([topic, `${payload}`, retain]))
  const connack = await new Promise<IConnackPacket>((resolve, reject) => client.once('connect', resolve).once('error', reject))
  return { client, connack, messages }
}

const sessionOf = (protocolVersion: 4 | 5): IClientOptions =>
  protocolVersion === 4
    ? { protocolVersion, clientId: 'freezer-1', clean: false }
    : { protocolVersion, clientId: 'freezer-1', clean: false, properties: { sessionExpiryInterval: 600 } }

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

test.each([
  ['MQTT 3.1.1', 4, 'file'],
  ['MQTT 5', 5, 'file'],
  ['MQTT 5, acknowledged by the queue', 5, 'direct'],
] as const)(
  '%s: a session, what waits in it and what is retained survive kill -9',
  async (_, protocolVersion, kind) => {
    const dir = aDirectory()
    const config = join(dir, 'gateway.json')
    writeFileSync(config, JSON.stringify({ spool: { kind }, access: { limits: 'none' } }))
    const start = () => aGatewayProcess(['--config', config, '--data-dir', dir])
    const device = sessionOf(protocolVersion)

    let gateway = await start()
    const first = await listening(gateway.ports.mqtt!, device)
    expect(first.connack.sessionPresent).toBe(false)
    await first.client.subscribeAsync({ 'cmd/freezer-1/#': { qos: 1 }, 'cmd/all': { qos: 0 }, 'old/#': { qos: 1 } })
    await first.client.unsubscribeAsync('old/#')
    await first.client.endAsync()

    const publisher = await aDevice(gateway.ports.mqtt!, { clientId: 'desk' })
    const commands = range(200).map((i) => ['cmd/freezer-1/set', `${i}`] as const)
    const states = range(20).map((i) => [`state/${i}`, `is ${i}`] as const)
    await publisher.publishAsync('state/0', 'was', { qos: 1, retain: true })
    await publisher.publishAsync('state/cleared', 'was', { qos: 1, retain: true })
    await publisher.publishAsync('state/cleared', '', { qos: 1, retain: true })
    await Promise.all([
      ...commands.map(([topic, payload]) => publisher.publishAsync(topic, payload, { qos: 1 })),
      ...states.map(([topic, payload]) => publisher.publishAsync(topic, payload, { qos: 1, retain: true })),
      publisher.publishAsync('old/x', 'nobody waits for this', { qos: 1 }),
    ])
    gateway.child.kill('SIGKILL') // right behind the last PUBACK
    await gateway.finished
    publisher.end(true)

    gateway = await start()
    const second = await listening(gateway.ports.mqtt!, device)
    expect(second.connack.sessionPresent).toBe(true)
    await expect.poll(() => second.messages, { timeout: 10_000 }).toEqual(commands.map(([topic, payload]) => [topic, payload, false]))

    const witness = await listening(gateway.ports.mqtt!, { clientId: 'witness' })
    for (const [topic] of states) await witness.client.subscribeAsync(topic, { qos: 1 })
    await witness.client.subscribeAsync('state/cleared', { qos: 1 })
    await expect.poll(() => witness.messages).toEqual(states.map(([topic, payload]) => [topic, payload, true]))

    // What was acknowledged now is gone for good, and the session's filters still stand.
    await second.client.endAsync()
    await witness.client.publishAsync('cmd/freezer-1/set', 'last', { qos: 1 })
    await witness.client.endAsync()
    gateway.child.kill('SIGTERM')
    await gateway.finished
    gateway = await start()
    const third = await listening(gateway.ports.mqtt!, device)
    await expect.poll(() => third.messages).toEqual([['cmd/freezer-1/set', 'last', false]])
    await third.client.endAsync()
    const fresh = await listening(gateway.ports.mqtt!, { ...device, clean: true })
    expect(fresh.connack.sessionPresent).toBe(false)
    await fresh.client.endAsync()
  },
  60_000,
)
