// What every driver must do, whatever it speaks: deliver exact bytes, say when they are acknowledged, count them, and end cleanly.
import { expect, test } from 'vitest'
import type { DriverKind, DriverOptions } from '../../device-sim/drivers/driver.ts'
import { systemClock } from '../../lib/clock.ts'
import type { TestServer } from '../helpers/device-doors.ts'

interface Subject {
  readonly kind: DriverKind
  /** A door for it, and where it is. */
  start(): Promise<TestServer & { readonly url: string; readonly options?: Partial<DriverOptions> }>
  /** A driver without a lasting connection does not notice that it is gone, and may overtake itself. */
  readonly keepsConnection?: boolean
  /** Only MQTT brings messages to a device. */
  readonly hasSubscriptions?: boolean
}

const topic = 'dt/coldchain/acme/site-1/d-1/telemetry'
const reading = (payload: string | Uint8Array, qos: 0 | 1 = 1) => ({ topic, payload: Buffer.from(payload), qos })

export function testDriver({ kind, start, keepsConnection = true, hasSubscriptions = true }: Subject): void {
  const signal = new AbortController().signal
  const create = async () => {
    const server = await start()
    const driver = kind.create({ target: new URL(server.url), keepAliveMs: 60_000, clock: systemClock, ...server.options })
    return {
      ...server,
      driver,
      async [Symbol.asyncDispose]() {
        driver.stop()
        await server[Symbol.asyncDispose]()
      },
    }
  }

  test('a reading arrives as it was, from the device that sent it, and is then acknowledged', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    const sent = ['{"seq":1}', '', 'é'.repeat(10_000), Uint8Array.of(0, 255, 254, 0x7b)].map((payload) => reading(payload))
    for (const each of sent) await session.publish(each)
    expect(target.published).toEqual(sent.map((each) => ({ clientId: 'd-1', ...each })))
    await session.close()
  })

  test('many readings at once all arrive, in order', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    const numbers = Array.from({ length: 300 }, (_, i) => i)
    await Promise.all(numbers.map((i) => session.publish(reading(String(i)))))
    expect(target.published.map(({ payload }) => Number(payload))).toEqual(numbers)
    await session.close()
  })

  test('two devices have two connections', async () => {
    await using target = await create()
    const sessions = await Promise.all(['d-1', 'd-2'].map((id) => target.driver.connect(id, signal)))
    await Promise.all(sessions.map((session) => session.publish(reading('x'))))
    expect(target.published.map(({ clientId }) => clientId).toSorted()).toEqual(['d-1', 'd-2'])
    await Promise.all(sessions.map((session) => session.close()))
  })

  test.skipIf(!hasSubscriptions)('a device hears what is published to it', async () => {
    await using target = await create()
    const [asker, device] = await Promise.all(['d-2', 'd-1'].map((id) => target.driver.connect(id, signal)))
    const heard: string[] = []
    const all = new Promise<void>((resolve) => {
      void device!.subscribe!('cmd/d-1/+/req/+', (to, payload) => {
        if (heard.push(`${to} ${Buffer.from(payload)}`) === 2) resolve()
      }).then(async () => {
        await asker!.publish({ topic: 'cmd/d-1/reboot/req/1', payload: Buffer.from('now'), qos: 1 })
        await asker!.publish({ topic: 'cmd/d-2/reboot/req/1', payload: Buffer.from('now'), qos: 1 })
        await asker!.publish({ topic: 'cmd/d-1/reboot/req/2', payload: Buffer.from('é'), qos: 0 })
      })
    })
    await all
    expect(heard).toEqual(['cmd/d-1/reboot/req/1 now', 'cmd/d-1/reboot/req/2 é'])
    await Promise.all([asker!.close(), device!.close()])
  })

  test('QoS 0 readings arrive before the goodbye', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    for (let i = 0; i < 50; i++) void session.publish(reading(String(i), 0))
    await session.publish(reading('last'))
    await session.close()
    expect(target.published).toHaveLength(51)
  })

  test('bytes are counted as the other side counts them', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    for (let i = 0; i < 20; i++) await session.publish(reading('x'.repeat(200)))
    const { read, written } = target.bytes()
    expect(target.driver.wire.sent).toBeGreaterThan(20 * 200)
    expect(target.driver.wire.sent).toBe(read)
    expect(target.driver.wire.received).toBe(written)
    await session.close()
    expect(target.driver.wire.sent).toBeGreaterThanOrEqual(read)
  })

  test.skipIf(!keepsConnection)('a connection that breaks is told, and fails what comes after', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    await session.publish(reading('1'))
    target.cutAll()
    await session.closed
    await expect(session.publish(reading('2'))).rejects.toThrow()
  })

  test('a session may be cut without a word, and closed twice', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    session.cut()
    await session.closed
    await expect(session.publish(reading('late'))).rejects.toThrow()
    await session.close()
    await session.close()
  })

  test('an aborted signal ends an attempt to connect', async () => {
    await using target = await create()
    await expect(target.driver.connect('d-1', AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
  })

  test('where nobody listens, connecting fails with the reason', async () => {
    const { url, options } = await addressOfShutDoor(start)
    const driver = kind.create({ target: new URL(url), keepAliveMs: 60_000, clock: systemClock, ...options })
    await expect(driver.connect('d-1', signal)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    driver.stop()
  })
}

/** The address of a door that is shut again. */
async function addressOfShutDoor(start: Subject['start']): Promise<{ readonly url: string; readonly options?: Partial<DriverOptions> }> {
  await using server = await start()
  return { url: server.url, ...(server.options && { options: server.options }) }
}
