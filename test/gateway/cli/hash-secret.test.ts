import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { createVerifier } from '../../../gateway/access/secrets.ts'
import { thingsSchema } from '../../../gateway/access/things.ts'
import { systemClock } from '../../../lib/clock.ts'

const run = (input: string, ...args: readonly string[]) =>
  spawnSync(process.execPath, ['bin/weir.ts', 'certs', 'hash-secret', ...args], { input, encoding: 'utf8' })

test('what it prints goes into things.json as it is, opens with the secret, and does not hold it', async () => {
  const { status, stdout, stderr } = run('s3cret-s3cret\n', 'dev', '--tenant', 'acme', '--policy', 'device')
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).not.toContain('s3cret')
  const entry = JSON.parse(stdout)
  expect(entry).toEqual({ name: 'dev', hash: expect.any(String), tenant: 'acme', policies: ['device'] })
  const allow = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }
  for (const list of ['users', 'tokens']) expect(thingsSchema.parse({ policies: { device: allow }, [list]: [entry] })).toBeDefined()
  const { verify } = createVerifier({ clock: systemClock })
  const login = { name: 'dev', source: '192.0.2.1', stored: entry.hash }
  expect(await verify({ ...login, secret: 's3cret-s3cret' })).toBe(true)
  expect(await verify({ ...login, secret: 's3cret-s3cret\n' })).toBe(false)
})

test.each([
  ['', ['dev'], /standard input is empty/],
  ['\n', ['dev'], /standard input is empty/],
  ['hunter2\nhunter3\n', ['dev'], /a secret is one line/],
  ['hunter2'.repeat(200), ['dev'], /at most 1024 bytes/],
  ['hunter2', ['a b'], /name: expected 1 to 128 letters/],
  ['hunter2', ['dev', '--policy', 'a b'], /policies\[0\]: expected/],
  ['hunter2', [], /missing required argument 'name'/],
])('%j %j is told in one sentence that does not repeat the secret', (input, args, sentence) => {
  const { status, stdout, stderr } = run(input, ...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(sentence)
  expect(stderr).not.toMatch(/hunter|\n\s+at /)
})
