import { beforeEach, describe, expect, test } from 'vitest'
import { type Command, type Commands, commandsSchema, createCommands } from '../../../gateway/commands/commands.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMessage } from '../../helpers/message.ts'

let clock: ReturnType<typeof createManualClock>
let commands: Commands
let sent: Message[]
let connected: Map<string, readonly string[]>

const where = (device: string) => `cmd/coldchain/acme/s/${device}`
const ping = (more: Partial<Command> = {}): Command => ({ device: 'f-1', name: 'ping', payload: Buffer.from('now'), ...more })
const reply = (request: Message, clientId = 'f-1', text = 'pong') =>
  commands.seen(createMessage(text, { topic: request.topic.replace('/req/', '/res/'), source: { clientId, transport: 'mqtt' } }))

beforeEach(() => {
  clock = createManualClock()
  sent = []
  connected = new Map(['f-1', 'f-2'].map((device) => [device, [`${where(device)}/+/req/+`]]))
  let number = 0
  commands = createCommands(commandsSchema.parse({ maxInFlight: 2, timeoutMs: 1_000 }), {
    publish: async (message) => void sent.push(message),
    filtersOf: (device) => connected.get(device),
    isKnown: (device) => device !== 'ghost',
    clock,
    ids: () => String(++number),
  })
  commands.start()
  return () => commands.stop()
})

test('the question goes where the device listens, with a place to answer for MQTT 5', async () => {
  const asked = await commands.ask(ping())
  const { topic, payload, properties } = sent[0]!
  expect(topic).toBe(`${where('f-1')}/ping/req/${asked.correlationId}`)
  expect(Buffer.from(payload).toString()).toBe('now')
  expect(properties).toEqual({
    responseTopic: `${where('f-1')}/ping/res/${asked.correlationId}`,
    correlationData: Buffer.from(asked.correlationId),
  })
  reply(sent[0]!)
  expect(Buffer.from((await asked.reply).payload).toString()).toBe('pong')
  expect(commands.isWaiting()).toBe(false)
})

describe('refused at once', () => {
  test.each([
    ['a device nobody knows', 'ghost', 'ping', 'DEVICE_UNKNOWN'],
    ['a device that is away', 'f-9', 'ping', 'DEVICE_OFFLINE'],
    ['a name of two levels', 'f-1', 'a/b', 'REQUEST_INVALID'],
  ])('%s', (_, device, name, code) => expect(commands.ask(ping({ device, name }))).rejects.toMatchObject({ code }))

  test('a device that listens to nothing', async () => {
    connected.set('f-1', ['dt/#'])
    await expect(commands.ask(ping())).rejects.toMatchObject({ code: 'DEVICE_DEAF' })
  })

  test('a device with too much to answer, and no other', async () => {
    await Promise.all([commands.ask(ping()), commands.ask(ping())])
    await expect(commands.ask(ping())).rejects.toMatchObject({ code: 'DEVICE_BUSY' })
    await commands.ask(ping({ device: 'f-2' }))
    reply(sent[0]!)
    await commands.ask(ping())
  })
})

test('the deadline ends the waiting, and a late answer changes nothing', async () => {
  const asked = await commands.ask(ping({ timeoutMs: 300 }))
  const ended = expect(asked.reply).rejects.toMatchObject({ code: 'DEVICE_TIMEOUT' })
  await clock.advance(299)
  expect(asked.settled()).toBeUndefined()
  await clock.advance(25)
  await ended
  reply(sent[0]!)
  expect(asked.settled()).toMatchObject({ code: 'DEVICE_TIMEOUT' })
})

test('a device that leaves is not waited for', async () => {
  const asked = await commands.ask(ping())
  const ended = expect(asked.reply).rejects.toMatchObject({ code: 'DEVICE_OFFLINE' })
  connected.delete('f-1')
  await clock.advance(25)
  await ended
})

test('nobody answers for another', async () => {
  const asked = await commands.ask(ping())
  reply(sent[0]!, 'f-2', 'forged')
  expect(asked.settled()).toBeUndefined()
  reply(sent[0]!)
  expect(Buffer.from((await asked.reply).payload).toString()).toBe('pong')
})

test('the same key asks once; for another command it is refused', async () => {
  const [first, second] = await Promise.all([commands.ask(ping({ idempotencyKey: 'k' })), commands.ask(ping({ idempotencyKey: 'k' }))])
  expect(second.correlationId).toBe(first.correlationId)
  expect(sent).toHaveLength(1)
  await expect(commands.ask(ping({ idempotencyKey: 'k', name: 'reboot' }))).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
  await expect(commands.ask(ping({ device: 'f-9', idempotencyKey: 'x' }))).rejects.toMatchObject({ code: 'DEVICE_OFFLINE' })
  connected.set('f-9', [`${where('f-9')}/+/req/+`])
  await commands.ask(ping({ device: 'f-9', idempotencyKey: 'x' }))
})

test('an answer nobody waits for can be found for ten minutes, and its id says that it is for the queue', async () => {
  const { correlationId } = await commands.ask(ping({ async: true }))
  expect(correlationId).toMatch(/^async-/)
  reply(sent[0]!)
  expect(commands.find(correlationId)?.settled()).toMatchObject({ payload: Buffer.from('pong') })
  await clock.advance(600_100)
  expect(commands.find(correlationId)).toBeUndefined()
})

test('a stop lets nobody wait', async () => {
  const asked = await commands.ask(ping())
  const ended = expect(asked.reply).rejects.toMatchObject({ code: 'STOPPING' })
  commands.stop()
  await ended
})
