// A gateway whose disk lost a file, from the first start behind it until a person has confirmed the loss.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDirectory, aGatewayProcess, type GatewayProcess, runWeir } from '../helpers/program.ts'

const messages = 1_000

async function post({ ports }: GatewayProcess, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 100) {
    const answers = Array.from({ length: 100 }, (_, i) =>
      fetch(`http://127.0.0.1:${ports.http}/topics/dt/coldchain/acme/s/f/telemetry?qos=1`, { method: 'POST', body: `{"seq":${sent + i}}` }),
    )
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the gateway answers
const get = async ({ ports }: GatewayProcess, path: string): Promise<any> => (await fetch(`http://127.0.0.1:${ports.admin}${path}`)).json()

async function stop({ child, finished }: GatewayProcess) {
  child.kill('SIGTERM')
  const { code, stdout } = await finished
  const ledger = stdout
    .split('\n')
    .map((line) => JSON.parse(line))
    .find(({ event }) => event === 'gateway.stopped')
  return { code, ledger }
}

test('a segment of the spool is missing, one of the parked messages is a directory: ledger, health, metrics and `weir losses` say it until it is confirmed', async () => {
  const dir = aDirectory()
  const config = join(dir, 'weir.json')
  writeFileSync(config, JSON.stringify({ spool: { kind: 'file', segmentBytes: 10_000 }, aws: { endpoint: 'http://127.0.0.1:1' } }))
  const args = ['--config', config, '--data-dir', join(dir, 'data'), '--drain-timeout', '0s']
  const first = await aGatewayProcess(args)
  await post(first, messages)
  expect(await get(first, '/api/ledger')).toMatchObject({ accepted: messages, lost: 0, balanced: true })
  await stop(first)
  const segmentOf = (place: string) =>
    readdirSync(join(dir, 'data', place))
      .filter((name) => name.endsWith('.seg'))
      .sort()[1]!
  const [name] = readdirSync(join(dir, 'data/overflow')).filter((name) => name.startsWith('telemetry.'))
  const parked = `overflow/${name}`
  const [missing, unreadable] = [segmentOf('spool'), segmentOf(parked)]
  rmSync(join(dir, 'data/spool', missing))
  rmSync(join(dir, 'data', parked, unreadable))
  mkdirSync(join(dir, 'data', parked, unreadable))

  const second = await aGatewayProcess(args)
  const { lost, ...ledger } = await get(second, '/api/ledger')
  expect(ledger).toMatchObject({ accepted: messages, recovered: messages - lost, queued: messages - lost, balanced: true })
  const losses = await get(second, '/api/losses')
  expect(losses).toMatchObject([
    { place: 'spool', exact: true, detail: expect.stringContaining(`${missing} is missing`) },
    { place: parked, exact: true, detail: expect.stringContaining(`${unreadable} cannot be read (EISDIR)`) },
  ])
  for (const { count } of losses) expect(count).toBeGreaterThan(20)
  expect(losses[0].count + losses[1].count).toBe(lost)
  const health = await get(second, '/healthz')
  expect(health.reasons).toContain('MESSAGES_LOST')
  for (const { count, place } of losses)
    expect(health.details.MESSAGES_LOST).toContain(`${count} acknowledged messages were lost in ${place}, found at 20`)
  const metrics = await (await fetch(`http://127.0.0.1:${second.ports.admin}/metrics`)).text()
  expect(metrics).toContain(`weir_messages_lost ${lost}\n`)
  expect(metrics).toContain(`weir_lost_total{place="spool"} ${losses[0].count}\n`)
  const confirmed = await runWeir(['losses', '--confirm', '--json', '--admin', `http://127.0.0.1:${second.ports.admin}`])
  expect(JSON.parse(confirmed.stdout)).toMatchObject({
    confirmed: 2,
    losses: [{ confirmedAt: expect.any(String) }, { confirmedAt: expect.any(String) }],
  })
  expect((await get(second, '/healthz')).reasons).not.toContain('MESSAGES_LOST')
  expect(await stop(second)).toMatchObject({ code: 0, ledger: { lost, balanced: true } })

  const third = await aGatewayProcess(args)
  expect((await get(third, '/healthz')).reasons).not.toContain('MESSAGES_LOST')
  expect(await get(third, '/api/ledger')).toMatchObject({ accepted: messages, lost, balanced: true })
  await stop(third)
})
