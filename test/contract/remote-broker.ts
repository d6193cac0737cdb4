// What the gateway promises as a consumer of somebody else's broker, besides what every broker promises.
import { describe, expect, onTestFinished, test } from 'vitest'
import { GatewayError } from '../../gateway/errors.ts'
import { createMessage } from '../helpers/message.ts'
import { aRemoteBroker, type RemoteCase } from '../helpers/remote-broker.ts'
import { createSpyIngest, settledAcks, topicOf } from './broker.ts'

export interface RemoteBrokerCase {
  readonly name: string
  readonly skip?: string | undefined
  /** Asked when a test runs: certificates are there then. */
  readonly subject: () => RemoteCase
}

export function testRemoteBroker({ name, skip, subject }: RemoteBrokerCase): void {
  const title = skip === undefined ? `as a consumer: ${name}` : `as a consumer: ${name} (skipped: ${skip})`
  describe.skipIf(skip !== undefined)(title, () => {
    const open = async () => {
      const spy = createSpyIngest()
      const remote = await aRemoteBroker(subject(), spy.ingest)
      onTestFinished(() => remote.broker.stop())
      const device = async (clientId: string) => {
        const client = await remote.device(clientId, { reconnectPeriod: 100 })
        onTestFinished(() => void client.end(true))
        return client
      }
      return { ...remote, device, spy }
    }

    test('a gateway that dies before ingest resolves leaves the message with the broker, for the next start', async () => {
      const { broker, proxy, device, spy, again } = await open()
      const late = Promise.withResolvers<void>()
      spy.answer = () => late.promise
      const client = await device('f-1')
      await client.publishAsync(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(1)
      await proxy.cut() // nothing more is heard of it
      const died: Promise<void> = broker.stop()
      await client.publishAsync(topicOf('f-1'), 'two', { qos: 1 })
      const [first] = spy.seen.splice(0)
      spy.answer = async () => {}
      await proxy.mend()
      const next = again()
      onTestFinished(() => next.stop())
      await next.start()
      await spy.count(2)
      expect(spy.texts()).toEqual(['one', 'two'])
      expect(spy.seen[0]!.id).not.toBe(first!.id)
      late.resolve()
      await died
    })

    test('what waits while the gateway is stopped comes after its start', async () => {
      const { broker, device, spy, again } = await open()
      const client = await device('f-1')
      await broker.stop()
      for (const n of [1, 2, 3]) await client.publishAsync(topicOf('f-1'), String(n), { qos: 1 })
      const next = again()
      onTestFinished(() => next.stop())
      await next.start()
      await spy.count(3)
      expect(spy.texts()).toEqual(['1', '2', '3'])
    })

    test('stop waits for what is being kept, and acknowledges it', async () => {
      const { broker, device, spy, again } = await open()
      const kept = Promise.withResolvers<void>()
      const { promise } = kept
      spy.answer = () => promise
      const client = await device('f-1')
      await client.publishAsync(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(1)
      const stopped: Promise<void> = broker.stop()
      kept.resolve()
      await stopped
      spy.answer = async () => {}
      await client.publishAsync(topicOf('f-1'), 'two', { qos: 1 })
      const next = again()
      onTestFinished(() => next.stop())
      await next.start()
      await spy.count(2)
      expect(spy.texts()).toEqual(['one', 'two'])
    })

    test.each([
      ['ingest refuses for good', 'x'],
      ['is over a limit', 'x'.repeat(131_073)],
    ])('a message that %s is acknowledged, and does not come again', async (_, payload) => {
      const { device, cut, spy, observe } = await open()
      const asked: string[] = []
      spy.answer = async (message) => {
        asked.push(message.topic)
        if (message.topic === topicOf('bad')) throw new GatewayError('NOT_AUTHORIZED', 'no')
      }
      const client = await device('f-1')
      await client.publishAsync(topicOf('bad'), payload, { qos: 1 })
      await client.publishAsync(topicOf('f-1'), 'good', { qos: 1 })
      await expect.poll(() => asked.at(-1)).toBe(topicOf('f-1'))
      await settledAcks()
      await cut()
      await expect.poll(() => observe.of('broker.connected').length).toBe(2)
      await client.publishAsync(topicOf('f-1'), 'after', { qos: 1 })
      await expect.poll(() => spy.texts().at(-1)).toBe('after')
      expect(asked.filter((topic) => topic === topicOf('bad'))).toHaveLength(payload.length > 1 ? 0 : 1)
      if (payload.length > 1) {
        expect(observe.of('message.refused')).toMatchObject([{ code: 'PAYLOAD_TOO_LARGE', topic: topicOf('bad'), tenant: 'acme' }])
      }
    })

    test('a broker that has forgotten the session is subscribed to again', async () => {
      const { mosquitto, device, spy, observe } = await open()
      const before = await device('f-0')
      await before.publishAsync(topicOf('f-0'), 'one', { qos: 1 })
      await spy.count(1)
      await mosquitto.forget()
      await expect.poll(() => observe.of('broker.connected').map(({ resumed }) => resumed), { timeout: 10_000 }).toEqual([false, false])
      const client = await device('f-1')
      await client.publishAsync(topicOf('f-1'), 'two', { qos: 1 })
      await spy.count(2)
      expect(spy.texts()).toEqual(['one', 'two'])
    })

    test('while the broker is away the gateway is degraded, publishing is refused as retryable, and it recovers', async () => {
      const { broker, proxy, observe } = await open()
      await proxy.cut()
      expect(await observe.next('gateway.degraded')).toMatchObject({ code: 'BROKER_UNREACHABLE' })
      const publishing = broker.publish(createMessage('one', { topic: topicOf('f-1') }))
      await expect(publishing).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE', retryable: true })
      await proxy.mend()
      await observe.next('gateway.recovered')
    })

    test('it starts while the broker is away, and is there when it comes', async () => {
      const { broker, proxy, device, spy, observe, again } = await open()
      await broker.stop()
      await proxy.cut()
      const next = again()
      onTestFinished(() => next.stop())
      await next.start()
      expect(observe.of('gateway.degraded')).toHaveLength(1)
      await proxy.mend()
      await observe.next('gateway.recovered')
      const client = await device('f-1')
      await client.publishAsync(topicOf('f-1'), 'one', { qos: 1 })
      await spy.count(1)
    })

    test('while nothing can be kept, messages wait in order, and none is asked for twice at once', async () => {
      const { device, spy } = await open()
      let full = true
      const kept: string[] = []
      spy.answer = async ({ payload }) => {
        if (full) throw new GatewayError('SPOOL_FULL', 'full')
        kept.push(Buffer.from(payload).toString())
      }
      const client = await device('f-1')
      const sent = Array.from({ length: 50 }, (_, n) => String(n))
      for (const text of sent) await client.publishAsync(topicOf('f-1'), text, { qos: 1 })
      await spy.count(3)
      full = false
      await expect.poll(() => kept.length, { timeout: 10_000 }).toBe(50)
      expect(kept).toEqual(sent)
    })
  })
}
