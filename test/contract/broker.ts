// What every broker promises, whether devices connect to it here or it is somebody else's. Called from the test of each implementation.
import type { IClientOptions, MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Broker, Ingest } from '../../gateway/broker/broker.ts'
import { GatewayError } from '../../gateway/errors.ts'
import { createIds } from '../../gateway/message/ids.ts'
import type { Message } from '../../gateway/message/message.ts'
import { systemClock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'
import { createMessage } from '../helpers/message.ts'

export interface BrokerSubject {
  readonly broker: Broker
  /** A device, connected to whatever devices connect to. One that was cut off comes back and sends again what was not acknowledged. */
  device(clientId: string, options?: IClientOptions): Promise<MqttClient>
  /** Breaks the connection by which messages come to the gateway, and mends it. */
  cut(): Promise<void>
}

export interface BrokerCase {
  readonly name: string
  /** Why it cannot run here. */
  readonly skip?: string | undefined
  /** A broker that has started and hands everything to `ingest`. */
  create(ingest: Ingest): Promise<BrokerSubject>
}

export const ids = createIds(systemClock.now, createRandom(1))

/** Ingest that remembers, and does what a test says. */
export function createSpyIngest() {
  const seen: Message[] = []
  const waiting = new Set<() => void>()
  const spy = {
    seen,
    /** What becomes of a message. */
    answer: async (_message: Message): Promise<void> => {},
    ingest: (message: Message) => {
      seen.push(message)
      for (const check of waiting) check()
      return spy.answer(message)
    },
    texts: () => seen.map(({ payload }) => Buffer.from(payload).toString()),
    /** Resolves when so many were seen. */
    count: (count: number) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (seen.length < count) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
  }
  return spy
}

export const topicOf = (device: string) => `dt/coldchain/acme/site-1/${device}/telemetry`

export function testBroker({ name, skip, create }: BrokerCase): void {
  const title = skip === undefined ? `contract: ${name}` : `contract: ${name} (skipped: ${skip})`
  describe.skipIf(skip !== undefined)(title, () => {
    const open = async () => {
      const spy = createSpyIngest()
      const subject = await create(spy.ingest)
      onTestFinished(() => subject.broker.stop())
      const device = async (clientId: string, options?: IClientOptions) => {
        const client = await subject.device(clientId, options)
        onTestFinished(() => void client.end(true))
        return client
      }
      return { ...subject, device, spy }
    }

    test('a publish becomes a message: topic, bytes, QoS, device and tenant', async () => {
      const { device, spy } = await open()
      const payload = Uint8Array.of(0, 255, 254, 0x7b)
      const client = await device('f-1')
      await client.publishAsync(topicOf('f-1'), Buffer.from(payload), { qos: 1 })
      await spy.count(1)
      const [message] = spy.seen
      expect(message).toMatchObject({ topic: topicOf('f-1'), qos: 1, retain: false, hops: 0, source: { clientId: 'f-1', tenant: 'acme' } })
      expect(Uint8Array.from(message!.payload)).toEqual(payload)
    })

    test('many publishes of several devices: each once, those of a device in order', async () => {
      const { device, spy } = await open()
      const [devices, each] = [3, 200]
      await Promise.all(
        Array.from({ length: devices }, async (_, d) => {
          const client = await device(`f-${d}`)
          await Promise.all(Array.from({ length: each }, (_, n) => client.publishAsync(topicOf(`f-${d}`), `${d}:${n}`, { qos: 1 })))
        }),
      )
      await spy.count(devices * each)
      for (let d = 0; d < devices; d++) {
        expect(spy.texts().filter((text) => text.startsWith(`${d}:`))).toEqual(Array.from({ length: each }, (_, n) => `${d}:${n}`))
      }
    })

    test('whoever had the message has it until ingest resolves: a connection that breaks before brings it again', async () => {
      const { device, cut, spy } = await open()
      const client = await device('f-1', { reconnectPeriod: 50 })
      const late = Promise.withResolvers<void>()
      spy.answer = () => late.promise
      client.publish(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(1)
      spy.answer = async () => {}
      await cut()
      await spy.count(2)
      late.resolve()
      expect(spy.texts()).toEqual(['one', 'one'])
    })

    test('what was acknowledged does not come again', async () => {
      const { device, cut, spy } = await open()
      const client = await device('f-1', { reconnectPeriod: 50 })
      await client.publishAsync(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(1)
      // The one after shows that the acknowledgement of the first had time to arrive.
      await client.publishAsync(topicOf('f-1'), 'two', { qos: 1 })
      await spy.count(2)
      await settledAcks()
      await cut()
      await client.publishAsync(topicOf('f-1'), 'three', { qos: 1 })
      await spy.count(3)
      expect(spy.texts()).toEqual(['one', 'two', 'three'])
    })

    test('a message that cannot be kept now is not lost: it is ours later', async () => {
      const { device, spy } = await open()
      const client = await device('f-1', { reconnectPeriod: 50 })
      let refusals = 2
      spy.answer = async () => {
        if (refusals-- > 0) throw new GatewayError('SPOOL_FULL', 'full')
      }
      client.publish(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(3)
      expect(spy.texts()).toEqual(['one', 'one', 'one'])
    })

    test('what the gateway publishes reaches subscribers, and ingest once', async () => {
      const { broker, device, spy } = await open()
      const client = await device('listener')
      const heard = Promise.withResolvers<string>()
      client.on('message', (topic, payload) => heard.resolve(`${topic} ${payload}`))
      await client.subscribeAsync('dt/#', { qos: 1 })
      await broker.publish(createMessage('hello', { topic: topicOf('f-9') }))
      expect(await heard.promise).toBe(`${topicOf('f-9')} hello`)
      await spy.count(1)
      expect(spy.texts()).toEqual(['hello'])
    })

    test('stop may be called twice', async () => {
      const { broker } = await open()
      await broker.stop()
      await broker.stop()
    })
  })
}

/** Acknowledgements travel without a sign of their arrival. */
export const settledAcks = () => systemClock.sleep(100)
