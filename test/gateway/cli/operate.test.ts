// What the operator's commands print, and what they say when nobody answers.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { backlogCommand, backlogText } from '../../../gateway/cli/backlog.ts'
import { commandCommand } from '../../../gateway/cli/command.ts'
import { consumeCommand } from '../../../gateway/cli/consume.ts'
import { dlqCommand } from '../../../gateway/cli/dlq.ts'
import { tenantsCommand } from '../../../gateway/cli/tenants.ts'

const tenants = [
  {
    queue: 'telemetry',
    tenants: [
      {
        tenant: 'acme',
        received: 900,
        handled: 400,
        inFlight: 8,
        waiting: 12,
        share: 0.9,
        dwellMs: { p50: 900, p95: 4_000, p99: 5_000 },
        noisy: true,
      },
      {
        tenant: 'bolt',
        received: 100,
        handled: 99,
        inFlight: 1,
        waiting: 0,
        share: 0.1,
        dwellMs: { p50: 40, p95: 60, p99: 70 },
        noisy: false,
      },
    ],
  },
]
const nobody = 'http://127.0.0.1:9'
let depth = 100
const answers: Readonly<Record<string, () => unknown>> = {
  '/api/tenants': () => tenants,
  '/api/queues': () => [{ name: 'telemetry', waiting: depth-- * 10, inFlight: 0 }],
}

let server: Server
let admin: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer?.() ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

async function run(command: Command, ...args: readonly string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
  try {
    const all = [command, ...command.commands]
    for (const each of all) each.exitOverride().configureOutput({ writeErr() {} })
    await command.parseAsync(args, { from: 'user' })
    return write.mock.calls.map(([text]) => String(text)).join('')
  } finally {
    write.mockRestore()
  }
}

test('tenants: who is noisy, and what each waits', async () => {
  const text = await run(tenantsCommand(), '--admin', admin)
  expect(text).toMatch(/acme +telemetry +90\.0 % +900 +400 +12 +8 +900 ms +4000 ms +5000 ms +noisy/)
  expect(JSON.parse(await run(tenantsCommand(), '--admin', admin, '--json'))).toEqual({ queues: tenants })
  const first = await run(tenantsCommand(), '--admin', admin, '--top', '1')
  expect(first).toMatch(/^acme/m)
  expect(first).not.toMatch(/^bolt/m)
  expect(first).toMatch(/^telemetry: 1 more$/m)
})

test('backlog through the gateway: rates where it tells depths only', async () => {
  const { queues } = JSON.parse(await run(backlogCommand(), '--admin', admin, '--for', '50ms', '--json'))
  expect(queues).toMatchObject([{ queue: 'telemetry', waiting: 990 }])
  expect(queues[0].outlook).toMatch(/^level again at \d\d:\d\d$/)
  expect(backlogText(queues)).toMatch(/telemetry +990/)
})

test.each([
  ['tenants', tenantsCommand, /^queue other has no consumer in the gateway at http/],
  ['backlog', backlogCommand, /^queue other does not exist$/],
] as const)('%s of a queue that nobody knows', async (_, command, sentence) => {
  await expect(run(command(), '--admin', admin, '--queue', 'telemetry', '--queue', 'other')).rejects.toThrow(sentence)
})

test('consume tells of a queue that it never reached', async () => {
  const config = join(mkdtempSync(join(tmpdir(), 'weir-test-')), 'c.json')
  writeFileSync(config, JSON.stringify({ consumers: [{ queue: 'q', handler: { kind: 'log' } }] }))
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const args = ['--config', config, '--aws-endpoint', nobody, '--duration', '300ms']
  await expect(run(consumeCommand(), ...args)).rejects.toThrow(/^never reached: queue q does not answer \(E[A-Z]+\)$/)
})

test.each([200, 404])('command does not take the answer %d of another program for that of a device', async (status) => {
  const other = createServer((_, response) => void response.writeHead(status, { 'content-type': 'application/xml' }).end('<Error/>'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  await expect(run(commandCommand(), 'freezer-1', 'ping', '--admin', url)).rejects.toThrow(`no gateway answers at ${url}: `)
  other.close()
})

test.each([
  ['tenants', tenantsCommand, ['--admin', nobody], /no gateway answers at .*--admin/],
  ['backlog', backlogCommand, ['--admin', nobody], /no gateway answers at .*--admin/],
  ['backlog at SQS', backlogCommand, ['--aws-endpoint', nobody], /no SQS answers at .*--aws-endpoint/],
  ['dlq', dlqCommand, ['ls', '--aws-endpoint', nobody], /no SQS answers at .*--aws-endpoint/],
  ['consume', consumeCommand, ['--config', '/no/such/file.json'], /file\.json: cannot be read/],
] as const)('%s says in one sentence that nobody answers', async (_, command, args, sentence) => {
  const error = await run(command(), ...args).catch((thrown: Error) => thrown)
  expect(error).toBeInstanceOf(Error)
  expect((error as Error).message).toMatch(sentence)
  expect((error as Error).message).not.toContain('\n')
})

test.each([
  ['dlq', dlqCommand, ['replay', '--where', 'shoe=42']],
  ['dlq', dlqCommand, ['replay', '--rate', 'fast']],
  ['backlog', backlogCommand, ['--for', 'long']],
  ['tenants', tenantsCommand, ['--admin', 'localhost']],
  ['consume', consumeCommand, []],
] as const)('%s %j is wrong usage', async (_, command, args) => {
  await expect(run(command(), ...args)).rejects.toMatchObject({ name: expect.stringMatching(/^(CommanderError|InvalidArgumentError)$/) })
})
