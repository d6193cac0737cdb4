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

test.each([
  ['spool', 'is missing', () => {}],
  ['overflow/telemetry.0', 'cannot be read', (path: string) => mkdirSync(path)],
])(
  'a middle segment of %s %s: ledger, health, metrics and `weir losses` say how many messages are lost, until it is confirmed',
  async (place, what, replace) => {
    const dir = aDirectory()
    const config = join(dir, 'weir.json')
    writeFileSync(config, JSON.stringify({ spool: { kind: 'file', segmentBytes: 10_000 }, aws: { endpoint: 'http://127.0.0.1:1' } }))
    const args = ['--config', config, '--data-dir', join(dir, 'data'), '--drain-timeout', '0s']
    const first = await aGatewayProcess(args)
    await post(first, messages)
    expect(await get(first, '/api/ledger')).toMatchObject({ accepted: messages, lost: 0, balanced: true })
    await stop(first)
    const spool = join(dir, 'data', place)
    const [, middle] = readdirSync(spool)
      .filter((name) => name.endsWith('.seg'))
      .sort()
    rmSync(join(spool, middle!))
    replace(join(spool, middle!))

    const second = await aGatewayProcess(args)
    const ledger = await get(second, '/api/ledger')
    expect(ledger).toMatchObject({ accepted: messages, recovered: ledger.queued, balanced: true })
    expect(ledger.lost).toBeGreaterThan(20)
    expect(ledger.queued + ledger.lost).toBe(messages)
    const health = await get(second, '/healthz')
    expect(health.reasons).toContain('MESSAGES_LOST')
    expect(health.details.MESSAGES_LOST).toMatch(
      new RegExp(`^${ledger.lost} acknowledged messages were lost in ${place}, found at 20\\d\\d-.*: ${middle} ${what}`),
    )
    const metrics = await (await fetch(`http://127.0.0.1:${second.ports.admin}/metrics`)).text()
    expect(metrics).toContain(`weir_messages_lost ${ledger.lost}\n`)
    expect(metrics).toContain(`weir_lost_total{place="${place}"} ${ledger.lost}\n`)
    const admin = ['--admin', `http://127.0.0.1:${second.ports.admin}`]
    expect((await runWeir(['losses', ...admin])).stdout).toContain('(not confirmed)')
    expect(await stop(second)).toMatchObject({ code: 0, ledger: { lost: ledger.lost, balanced: true } })

    const third = await aGatewayProcess(args)
    expect(await get(third, '/api/ledger')).toMatchObject({ accepted: messages, lost: ledger.lost, balanced: true })
    expect((await get(third, '/healthz')).reasons).toContain('MESSAGES_LOST')
    const confirmed = await runWeir(['losses', '--confirm', '--json', '--admin', `http://127.0.0.1:${third.ports.admin}`])
    expect(JSON.parse(confirmed.stdout)).toMatchObject({
      confirmed: 1,
      losses: [{ count: ledger.lost, exact: true, confirmedAt: expect.any(String) }],
    })
    expect((await get(third, '/healthz')).reasons).not.toContain('MESSAGES_LOST')
    await stop(third)

    const fourth = await aGatewayProcess(args)
    expect((await get(fourth, '/healthz')).reasons).not.toContain('MESSAGES_LOST')
    expect(await get(fourth, '/api/ledger')).toMatchObject({ lost: ledger.lost, balanced: true })
    await stop(fourth)
  },
)
