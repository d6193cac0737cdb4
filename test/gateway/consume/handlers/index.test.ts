import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isPermanentFailure } from '../../../../gateway/consume/failure.ts'
import type { HandlerDeps } from '../../../../gateway/consume/handlers/handler.ts'
import { bindHandler, handlerSchema } from '../../../../gateway/consume/handlers/index.ts'
import type { Item } from '../../../../gateway/consume/queue.ts'
import { systemClock } from '../../../../lib/clock.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-handlers-'))
})
afterAll(() => rm(directory, { recursive: true }))

const { signal } = new AbortController()
const item = (key: string, body = '{"t":-18.5}'): Item => ({
  id: key,
  key,
  group: 'acme',
  body: Buffer.from(body),
  receives: 1,
  sentAt: 1_000,
  attributes: {},
})
const bind = (config: object, more: Partial<HandlerDeps> = {}) =>
  bindHandler(handlerSchema.parse(config), { clock: systemClock, fetch, print() {}, directory, ...more })

test('log prints a line, the body only when asked', async () => {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  await (await bind({ kind: 'log' }, { print })).handle(item('k1'), signal)
  await (await bind({ kind: 'log', body: true }, { print })).handle(item('k2', 'not json'), signal)
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { key: 'k1', group: 'acme', bytes: 11 },
    { key: 'k2', body: 'not json' },
  ])
  expect(lines[0]).not.toContain('18.5')
})

test('ndjson appends, and has written when it resolves', async () => {
  const config = { kind: 'ndjson', path: 'out.ndjson' }
  for (let round = 0; round < 2; round++) {
    const { handle, stop } = await bind(config)
    await Promise.all([handle(item('k1'), signal), handle(item('k2'), signal)])
    const lines = (await readFile(join(directory, 'out.ndjson'), 'utf8')).trim().split('\n')
    expect(lines).toHaveLength(2 * (round + 1))
    expect(JSON.parse(lines[0]!)).toMatchObject({ key: 'k1', body: { t: -18.5 } })
    await stop!()
  }
  await expect(bind({ kind: 'ndjson', path: 'no/such/folder/x' })).rejects.toMatchObject({ code: 'HANDLER_INVALID' })
})

test('module calls what a file exports, and says what is wrong with one that does not fit', async () => {
  await writeFile(
    join(directory, 'good.mjs'),
    'export default ({ key }) => { if (key === "bad") throw new Error("no") }\nexport const other = 1',
  )
  const { handle } = await bind({ kind: 'module', path: 'good.mjs' })
  await expect(handle(item('k1'), signal)).resolves.toBeUndefined()
  await expect(handle(item('bad'), signal)).rejects.toThrow('no')
  await expect(bind({ kind: 'module', path: 'good.mjs', export: 'other' })).rejects.toThrow('has no function as its export `other`')
  await expect(bind({ kind: 'module', path: 'absent.mjs' })).rejects.toMatchObject({ code: 'HANDLER_INVALID' })
})

test('http posts with the key, and tells refusal from a bad moment', async () => {
  const seen: { readonly key: unknown; readonly body: string }[] = []
  const statuses = [200, 422, 503, 429, 404]
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ key: request.headers['idempotency-key'], body })
    response.writeHead(statuses[seen.length - 1]!).end('the database password is hunter2')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { handle } = await bind({ kind: 'http', url })
  const outcomes: unknown[] = []
  for (const key of ['k1', 'k2', 'k3', 'k4', 'k5']) outcomes.push(await handle(item(key), signal).catch((error: unknown) => error))
  expect(seen.map(({ key }) => key)).toEqual(['k1', 'k2', 'k3', 'k4', 'k5'])
  expect(seen[0]!.body).toBe('{"t":-18.5}')
  expect(outcomes.map(isPermanentFailure)).toEqual([false, true, false, false, true])
  expect(outcomes[0]).toBeUndefined()
  expect(outcomes.slice(2, 4)).toMatchObject([{ code: 'HANDLER_FAILED' }, { code: 'HANDLER_FAILED' }])
  expect(outcomes.join()).not.toContain('hunter2')
  server.close()
  server.closeAllConnections()
  await expect(handle(item('k6'), signal)).rejects.toThrow()
})

test('http gives up after its time', async () => {
  const never: typeof fetch = (_, init) =>
    new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
  const { handle } = await bind({ kind: 'http', url: 'http://127.0.0.1:9/', timeoutMs: 50 }, { fetch: never })
  await expect(handle(item('k1'), signal)).rejects.toMatchObject({ name: 'TimeoutError' })
})
