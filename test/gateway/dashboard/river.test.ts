import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { addPage } from '../../../gateway/dashboard/assets.ts'
import { createReaders } from '../../../gateway/dashboard/readers.ts'
import { addRiver, type Rates } from '../../../gateway/dashboard/river.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function setUp() {
  const observe = createObserve()
  const clock = createManualClock()
  const asked: Rates[] = []
  let listening = 0
  let looked = 0
  const server = fastify({ forceCloseConnections: true })
  addPage(server)
  addRiver(server, {
    readers: createReaders(),
    metrics: observe.metrics,
    nounOf: (action) => ({ sqs: 'queue', sns: 'topic' })[action] ?? '',
    clock,
    health: () => ({ status: 'ok', reasons: [] }),
    parts: { ledger: () => ({ accepted: 7 }) },
    queues: async () => [{ queue: 'telemetry', waiting: ++looked }],
    events(listener) {
      listening++
      const stop = observe.listen(listener)
      return () => {
        listening--
        stop()
      }
    },
    monthlyDollars(rates) {
      asked.push(rates)
      return 12.5
    },
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  stops.push(() => server.close())
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  return { server, url, observe, clock, asked, listening: () => listening, looked: () => looked }
}

/** Events of the stream, one after another. */
async function watch(url: string) {
  const abort = new AbortController()
  stops.unshift(() => abort.abort())
  const { body, headers } = await fetch(`${url}/api/river`, { signal: abort.signal })
  expect(headers.get('content-type')).toBe('text/event-stream')
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    leave: () => abort.abort(),
    async next(): Promise<{ readonly event: string; readonly data: Record<string, unknown> }> {
      while (!text.includes('\n\n')) text += (await reader.read()).value
      const end = text.indexOf('\n\n')
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end))!
      text = text.slice(end + 2)
      return { event, data: JSON.parse(data) }
    },
  }
}

test('the page loads nothing but its own files, and has nothing inline', async () => {
  const { server } = await setUp()
  const pages = await Promise.all(['/', '/page.css', '/page.js'].map((path) => server.inject(path)))
  for (const { statusCode, headers } of pages) {
    expect(statusCode).toBe(200)
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    expect(headers['x-content-type-options']).toBe('nosniff')
  }
  const [html, , script] = pages.map(({ body }) => body)
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:/)
  expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|setAttribute\('style'/)
  // What the script looks for is there.
  for (const [, id] of script!.matchAll(/\b(?:at|fill)\('(\w+)'/g)) expect(html).toContain(`id="${id}"`)
})

test('whoever looks gets the river at once and then every second, with rates priced once there are two looks', async () => {
  const { url, observe, clock, asked } = await setUp()
  observe.record('message.accepted', { transport: 'mqtt' })
  const page = await watch(url)
  const first = await page.next()
  expect(first).toMatchObject({
    event: 'river',
    data: { ledger: { accepted: 7 }, doors: [{ door: 'mqtt', value: 1 }], health: { status: 'ok' } },
  })
  expect(first.data).not.toHaveProperty('monthlyDollars')
  observe.record('message.accepted', { transport: 'mqtt', count: 10 })
  for (const action of ['sqs', 'sns']) observe.record('action.delivered', { rule: 'telemetry', action })
  await clock.advance(1_000)
  expect((await page.next()).data).toMatchObject({
    monthlyDollars: 12.5,
    queues: [{ queue: 'telemetry', waiting: 1 }],
    deliveries: [
      { rule: 'telemetry', action: 'sqs', noun: 'queue', value: 1 },
      { rule: 'telemetry', action: 'sns', noun: 'topic', value: 1 },
    ],
  })
  expect(asked[0]).toMatchObject({ messages: 10, rules: 0, actions: 2, sent: 1 })
})

test('what is worth telling is told as it happens; a flood is cut, and what nobody logs is not told', async () => {
  const { url, observe, clock } = await setUp()
  const page = await watch(url)
  await page.next()
  observe.record('message.accepted', { transport: 'mqtt' })
  for (let i = 0; i < 50; i++) observe.record('tenant.noisy', { queue: 'telemetry', tenant: `t-${i}` })
  await clock.advance(1_000)
  const told = []
  for (let next = await page.next(); next.event === 'note'; next = await page.next()) told.push(next.data)
  expect(told).toHaveLength(12)
  expect(told[0]).toMatchObject({ event: 'tenant.noisy', level: 'warn', tenant: 't-0' })
})

test('queues are asked every five seconds, and nothing is done while nobody looks', async () => {
  const { url, clock, listening, looked } = await setUp()
  await clock.advance(60_000)
  expect([listening(), looked()]).toEqual([0, 0])
  const pages = [await watch(url), await watch(url)]
  await pages[0]!.next()
  expect(listening()).toBe(1)
  for (let i = 0; i < 10; i++) await clock.advance(1_000)
  expect(looked()).toBe(3)
  for (const { leave } of pages) leave()
  await expect.poll(listening).toBe(0)
  await clock.advance(60_000)
  expect(looked()).toBe(3)
})
