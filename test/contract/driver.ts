// What every driver must do, whatever it speaks: deliver exact bytes, say when they are acknowledged, count them, and end cleanly.
import { expect, test } from 'vitest'
import type { Driver } from '../../device-sim/drivers/driver.ts'

export interface DriverTarget extends AsyncDisposable {
  readonly driver: Driver
  readonly published: readonly { readonly clientId: string; readonly topic: string; readonly payload: Buffer; readonly qos: number }[]
  cutAll(): void
  /** As the server's sockets counted them; undefined where the server cannot see its sockets. */
  bytes(): { readonly read: number; readonly written: number }
}

const reading = (text: string, qos: 0 | 1 = 1) => ({ topic: 'dt/coldchain/acme/site-1/d-1/telemetry', payload: Buffer.from(text), qos })

export function testDriver(create: () => Promise<DriverTarget>, { keepsConnection = true } = {}): void {
  const signal = new AbortController().signal

  test('a reading arrives as it was, from the device that sent it, and is then acknowledged', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    await session.publish(reading('{"seq":1}'))
    await session.publish(reading('', 1))
    await session.publish(reading('é'.repeat(10_000)))
    expect(target.published.map(({ clientId, topic, payload }) => [clientId, topic, payload.toString()])).toEqual([
      ['d-1', reading('').topic, '{"seq":1}'],
      ['d-1', reading('').topic, ''],
      ['d-1', reading('').topic, 'é'.repeat(10_000)],
    ])
    await session.close()
  })

  test('many readings at once all arrive, in order, at QoS 1', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    await Promise.all(Array.from({ length: 300 }, (_, i) => session.publish(reading(String(i)))))
    if (keepsConnection) expect(target.published.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 300 }, (_, i) => i))
    else expect(new Set(target.published.map(({ payload }) => Number(payload))).size).toBe(300)
    await session.close()
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
  })

  test('a connection that breaks fails what was not acknowledged, and says so', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    await session.publish(reading('1'))
    target.cutAll()
    if (keepsConnection) await session.closed
    else session.cut()
    await expect(session.publish(reading('2'))).rejects.toThrow()
  })

  test('a session may be cut without a word, and closed twice', async () => {
    await using target = await create()
    const session = await target.driver.connect('d-1', signal)
    session.cut()
    await session.closed
    await session.close()
    await session.close()
  })

  test('an aborted signal ends an attempt to connect', async () => {
    await using target = await create()
    await expect(target.driver.connect('d-1', AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
  })
}
