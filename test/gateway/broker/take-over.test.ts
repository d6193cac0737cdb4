// Who can throw a connected device out by knowing its client id.
import { afterEach, expect, test } from 'vitest'
import { hashSecret } from '../../../gateway/access/secrets.ts'
import { createThings, thingsSchema } from '../../../gateway/access/things.ts'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { createIds } from '../../../gateway/message/ids.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createRandom } from '../../../lib/random.ts'
import { createTestAccess } from '../../helpers/access.ts'
import { aDevice } from '../../helpers/mqtt-client.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const on = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`
const hash = await hashSecret('right')
const policies = {
  owner: { Version: '2012-10-17' as const, Statement: { Effect: 'Allow' as const, Action: '*', Resource: '*' } },
  guest: {
    Version: '2012-10-17' as const,
    Statement: [
      { Effect: 'Allow' as const, Action: 'iot:Connect', Resource: on('client/guest-*') },
      { Effect: 'Allow' as const, Action: 'iot:Subscribe', Resource: on('topicfilter/my/${iot:ClientId}/topic') },
    ],
  },
}

async function start() {
  const observe = createSpyObserve()
  const users = ['owner', 'guest'].map((name) => ({ name, hash, policies: [name] }))
  const things = createThings(thingsSchema.parse({ policies, users }), policies)
  const access = createTestAccess({ anonymous: 'off' }, observe, { things: () => things })
  const routed: string[] = []
  const broker = createEmbeddedBroker({
    ...{ access, observe, clock: systemClock, ids: createIds(systemClock.now, createRandom(1)) },
    ingest: async ({ topic }) => void routed.push(topic),
    isRouted: () => true,
  })
  await broker.start()
  const door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
  const port = await door.start()
  stops.push(async () => {
    await broker.stop()
    await door.stop()
  })
  return { port, observe, routed }
}

test.each([
  ['no credentials', {}],
  ['a wrong password', { username: 'owner', password: 'wrong' }],
  ['the credentials of a client that may not use the id', { username: 'guest', password: 'right' }],
])('a CONNECT with %s and a known client id leaves the device connected, and does not keep it from connecting', async (_, login) => {
  const { port, observe } = await start()
  const owner = { clientId: 'f-1', username: 'owner', password: 'right' }
  const device = await aDevice(port, owner)
  for (let i = 0; i < 5; i++) await expect(aDevice(port, { clientId: 'f-1', ...login })).rejects.toThrow(/authorized|password/i)
  expect(device.connected).toBe(true)
  await device.publishAsync('a', 'x', { qos: 1 })
  expect(observe.of('client.disconnected')).toEqual([])
  await device.endAsync()
})

test('failed CONNECTs of one address announce at most ten events a second', async () => {
  const { port, observe, routed } = await start()
  const failing = Array.from({ length: 40 }, (_, i) => aDevice(port, { clientId: `guess-${i}` }))
  await Promise.allSettled(failing)
  expect(observe.of('client.refused')).toHaveLength(40)
  expect(routed.length).toBeGreaterThanOrEqual(10)
  expect(routed.length).toBeLessThan(40)
})
