// A registry that changes while devices are connected: whoever it no longer knows is cut at once, and nobody else notices.
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { hashSecret } from '../../gateway/access/secrets.ts'
import { aCertifiedGateway, topicOf } from '../helpers/certified-gateway.ts'

type Gateway = Awaited<ReturnType<typeof aCertifiedGateway>>

async function connected(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, connectTimeout: 5_000, ...options }, false)
  client.on('error', () => undefined)
  onTestFinished(() => void client.end(true))
  return client
}

const device = ({ ports, tlsOf }: Gateway, clientId: string, options: IClientOptions = {}) =>
  connected(`mqtts://127.0.0.1:${ports.mqtts}`, { clientId, ...tlsOf(clientId), ...options })

const user = ({ ports }: Gateway, options: IClientOptions = {}) =>
  connected(`mqtt://127.0.0.1:${ports.mqtt}`, { clientId: 'laptop', username: 'dev', password: 's3cret', ...options })

/** How a connection ended: with the reason of its DISCONNECT, or without a word. */
function ended(client: MqttClient): Promise<number | 'closed'> {
  return new Promise((resolve) => {
    client.once('disconnect', ({ reasonCode }) => resolve(reasonCode ?? 0))
    client.once('close', () => resolve('closed'))
  })
}

/** As an editor or `kubectl` writes it: a new file takes the place of the old one. */
// biome-ignore lint/suspicious/noExplicitAny: a JSON file to be spoilt
function change({ certs }: Gateway, edit: (file: any) => unknown): void {
  const path = join(certs, 'things.json')
  const text = readFileSync(path, 'utf8')
  const file = text.endsWith('}') ? JSON.parse(text) : undefined
  const edited = edit(file) ?? file
  writeFileSync(`${path}.new`, typeof edited === 'string' ? edited : JSON.stringify(edited))
  renameSync(`${path}.new`, path)
}

/** One connection for all posts of a device. */
function poster({ ports, tlsOf }: Gateway, id: 'f-1' | 'f-3') {
  const agent = new Agent({ ...(tlsOf(id) as object), keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return async (): Promise<number> => {
    const path = `/topics/${encodeURIComponent(topicOf(id))}?qos=1`
    const sent = request({ host: '127.0.0.1', port: ports.https, agent, method: 'POST', path })
    sent.end('{"n":1}')
    const [response] = await once(sent, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode
  }
}

test('a revoked certificate, a removed thing and a changed password end their connections; others stay', async () => {
  const gateway = await aCertifiedGateway()
  const { ports, tlsOf } = gateway
  const will = { topic: topicOf('f-1'), payload: Buffer.from('{"n":"will"}'), qos: 1 as const, retain: false }
  const revoked = await device(gateway, 'f-1', { protocolVersion: 5, will })
  const removed = await device(gateway, 'f-2')
  const stays = await device(gateway, 'f-3', { protocolVersion: 5 })
  const laptop = await user(gateway, { protocolVersion: 5 })
  const page = new WebSocket(`wss://127.0.0.1:${ports.websockets}`, tlsOf('f-1') as object)
  await once(page, 'open')
  const [post, postOther] = [poster(gateway, 'f-1'), poster(gateway, 'f-3')]
  expect(await post()).toBe(200)
  const heard: string[] = []
  stays.on('message', (_topic, payload) => heard.push(payload.toString()))
  await stays.subscribeAsync('dt/#', { qos: 1 })

  const ends = [ended(revoked), ended(removed), ended(laptop), once(page, 'close').then(([code]) => code as number)]
  const hash = await hashSecret('another')
  change(gateway, (file) => {
    const [first, second, ...others] = file.things
    file.certificates.push({ certificateId: first.principals[0], status: 'REVOKED' })
    file.things = [first, ...others]
    file.users[0].hash = hash
    expect(second.thingName).toBe('f-2')
  })
  expect(await Promise.all(ends)).toEqual([152, 'closed', 152, 1008])
  expect(await post()).toBe(401)

  // Nobody comes back with what is gone, and who stays works on.
  await expect(device(gateway, 'f-1')).rejects.toThrow()
  await expect(device(gateway, 'f-2')).rejects.toThrow()
  await expect(user(gateway)).rejects.toThrow()
  await (await user(gateway, { password: 'another' })).endAsync()
  await stays.publishAsync(topicOf('f-3'), '{"n":"mine"}', { qos: 1 })
  expect(await postOther()).toBe(200)
  await expect.poll(() => heard).toContain('{"n":"mine"}')
  // What was to be said for it after its end is not said: it has no standing to speak.
  expect(heard).not.toContain('{"n":"will"}')
  expect(JSON.parse(await gateway.line('client.revoked'))).toMatchObject({ level: 'warn', code: 'NOT_AUTHENTICATED' })
  const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text()
  expect(metrics).toMatch(/weir_clients_revoked_total\{transport="mqtts"\} 2/)
  expect(metrics).toMatch(/weir_clients_revoked_total\{transport="mqtt"\} 1/)
  expect(metrics).toMatch(/weir_clients_revoked_total\{transport="websocket"\} 1/)
})

test('a broken registry leaves the old one in use; a changed policy counts for who is connected', async () => {
  const gateway = await aCertifiedGateway()
  const client = await device(gateway, 'f-3', { protocolVersion: 5 })
  const publish = () => client.publishAsync(topicOf('f-3'), '{"n":1}', { qos: 1 })
  /** The reason code; 0 is a success. */
  const answered = () =>
    publish().then(
      () => 0,
      ({ code }) => code,
    )
  await publish()
  let good: unknown
  change(gateway, (file) => {
    good = file
    return '{ "things": ['
  })
  expect(JSON.parse(await gateway.line('registry.rejected'))).toMatchObject({ level: 'error', detail: expect.stringContaining('not JSON') })
  await publish()

  change(gateway, () => withListener(good, ['iot:Receive']))
  await expect.poll(answered, { timeout: 5_000 }).toBe(135)
  change(gateway, () => withListener(good, ['iot:Receive', 'iot:Publish']))
  await expect.poll(answered, { timeout: 5_000 }).toBe(0)
  expect(client.connected).toBe(true)
})

/** The registry with other rights for f-3. */
// biome-ignore lint/suspicious/noExplicitAny: a JSON file to be spoilt
function withListener(file: any, Action: readonly string[]): unknown {
  const { listener } = file.policies
  const Statement = [listener.Statement[0], { ...listener.Statement[1], Action }]
  return { ...file, policies: { ...file.policies, listener: { ...listener, Statement } } }
}
