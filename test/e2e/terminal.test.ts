// The commands of the real program, with hostile text in what they read and in what was typed.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { aDirectory, runWeir } from '../helpers/program.ts'
import { expectHarmless, hostile } from '../helpers/terminal.ts'

const dwellMs = { p50: 1, p95: 1, p99: 1 }
const tenant = { tenant: hostile, share: 1, received: 1, handled: 1, waiting: 0, inFlight: 0, dwellMs, noisy: false }

test('the program prints nothing raw', async () => {
  const log = join(aDirectory(), 'weir.log')
  writeFileSync(log, `${JSON.stringify({ level: 'warn', event: 'message.refused', topic: hostile })}\n`)
  const admin = createServer((_request, response) => response.end(JSON.stringify([{ queue: 'q', tenants: [tenant] }])))
  admin.listen(0, '127.0.0.1')
  onTestFinished(() => void admin.close())
  await once(admin, 'listening')
  const url = `http://127.0.0.1:${(admin.address() as AddressInfo).port}`
  const sql = ['rules', 'eval', '--topic', 'a', '--payload', JSON.stringify({ a: hostile })]
  const commands = [
    ['logs', log],
    ['logs', log, '--json'],
    ['logs', hostile],
    ['logs', `--${hostile}`],
    ['tenants', '--top', hostile],
    ['tenants', '--admin', url],
    ['tenants', '--admin', url, '--json'],
    [...sql, '--sql', "SELECT a FROM 'a'"],
    [...sql, '--sql', `SELECT ${hostile} FROM 'a'`],
  ]
  const results = await Promise.all(commands.map(async (command) => ({ command, ...(await runWeir(command)) })))
  for (const { command, stdout, stderr } of results) {
    if (command[0] !== 'rules') expect(stdout + stderr).toContain('gnp.exe')
    expectHarmless(stdout + stderr)
    if (command.includes('--json')) expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(hostile).slice(1, -1))
  }
})
