// Every use of the wall clock in the gateway, with its reason. What expires, waits, or is counted by time uses monotonic or steady time.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../gateway')

const reasons: Readonly<Record<string, string>> = {
  'access/identity.ts': 'certificates and policy conditions name wall-clock times',
  'actions/republish.ts': 'the time of arrival that rules see',
  'broker/admit.ts': 'the timestamp of a lifecycle event',
  'broker/connection.ts': 'the timestamp of a lifecycle event',
  'broker/fan-out.ts': 'the time of arrival that rules see',
  'broker/inlet.ts': 'the time of arrival that rules see',
  'broker/intake.ts': 'the time of arrival that rules see',
  'cli/dlq.ts': 'the age of dead letters, against the time that SQS gave them',
  'cli/fairness.ts': 'dwell, measured against the time that SQS gave',
  'commands/commands.ts': 'the time of arrival that rules see',
  'consume/backlog.ts': 'the age of messages, against the time that SQS gave them; the time of day of an outlook',
  'consume/tally.ts': 'dwell, measured against the time that SQS gave; nothing is decided by it',
  'dashboard/river.ts': 'the time a page shows',
  'gateway.ts': 'ids begin with the time; they stay unique and in order when it goes back',
  'listen/publisher.ts': 'the time of arrival that rules see',
  'observe/log.ts': 'the time of a log line',
  'spool/losses.ts': 'when a loss was found',
}

test('each use of the wall clock has a reason', () => {
  const uses = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => {
    if (!file.endsWith('.ts')) return false
    const code = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    return /[cC]lock\.now\b|Date\.now\b/.test(code)
  })
  expect(uses.sort()).toEqual(Object.keys(reasons).sort())
})
