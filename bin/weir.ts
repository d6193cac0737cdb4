#!/usr/bin/env node
// The table of commands. Each is imported when it is called, so that `weir --help` costs nothing.
import { Command, CommanderError } from 'commander'
import type { Gateway } from '../gateway/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import { printableText } from '../lib/printable.ts'
import { Interrupted, requestStop } from '../lib/stop-signal.ts'
import { limitHeap, loosenHeapWhenBusy } from './heap.ts'

interface Row {
  readonly summary: string
  readonly load: () => Promise<Command>
}

const commands: Readonly<Record<string, Row>> = {
  up: {
    summary: 'everything at once: queues, gateway, a demo fleet and its consumers',
    load: async () => (await import('./up.ts')).upCommand(),
  },
  gateway: { summary: 'the gateway alone', load: loadGateway },
  fleet: { summary: 'a fleet of simulated devices', load: loadFleet },
  cost: {
    summary: 'what a fleet costs over each transport, and where the answer turns',
    load: async () => (await import('../cost/cli/cost.ts')).costCommand(),
  },
  logs: { summary: 'the gateway log, filtered and readable', load: async () => (await import('../gateway/cli/logs.ts')).logsCommand() },
  rules: { summary: 'test, explain and evaluate rules', load: async () => (await import('../gateway/cli/rules.ts')).rulesCommand() },
  policy: {
    summary: 'what an AWS IoT policy allows, and which statement says so',
    load: async () => (await import('../gateway/cli/policy.ts')).policyCommand(),
  },
  doctor: {
    summary: 'rules, policies, queues and quotas, held against what AWS accepts',
    load: async () => (await import('../gateway/cli/doctor.ts')).doctorCommand(),
  },
  plan: {
    summary: 'what a fleet and an outage ask of disk, time, quotas and money',
    load: async () => (await import('./plan.ts')).planCommand(),
  },
  command: { summary: 'ask a device, print its answer', load: async () => (await import('../gateway/cli/command.ts')).commandCommand() },
  certs: { summary: 'a local CA, device certificates, hashes of passwords', load: loadCerts },
  consume: { summary: 'consumers alone', load: async () => (await import('../gateway/cli/consume.ts')).consumeCommand() },
  backlog: {
    summary: 'depth, age, rates and drain time per queue',
    load: async () => (await import('../gateway/cli/backlog.ts')).backlogCommand(),
  },
  tenants: { summary: 'dwell time and share per tenant', load: async () => (await import('../gateway/cli/tenants.ts')).tenantsCommand() },
  losses: {
    summary: 'acknowledged messages that the disk lost: listed, confirmed',
    load: async () => (await import('../gateway/cli/losses.ts')).lossesCommand(),
  },
  dlq: { summary: 'dead letters: by cause, shown, replayed', load: async () => (await import('../gateway/cli/dlq.ts')).dlqCommand() },
  fairness: {
    summary: 'one noisy tenant: dwell times with fairness off and on',
    load: async () => (await import('../gateway/cli/fairness.ts')).fairnessCommand(),
  },
  ordering: {
    summary: 'one stream through a standard and a FIFO queue',
    load: async () => (await import('../gateway/cli/ordering.ts')).orderingCommand(),
  },
}

/** The gateway knows no prices: who may import both puts the two together. */
async function loadGateway(): Promise<Command> {
  limitHeap()
  const [{ gatewayCommand }, { createMonthlyDollars }] = await Promise.all([import('../gateway/cli/gateway.ts'), import('./monthly.ts')])
  const passed = (gateway: Gateway) => {
    const { accepted, delivered } = gateway.ledger()
    return accepted + delivered
  }
  const onReady = (gateway: Gateway) => loosenHeapWhenBusy(() => passed(gateway), systemClock)
  return gatewayCommand({ createMonthlyDollars, onReady })
}

/** The fleet knows no queues: who may import both puts the two together. */
async function loadFleet(): Promise<Command> {
  const [{ fleetCommand }, { followQueues }] = await Promise.all([
    import('../device-sim/cli/fleet.ts'),
    import('../gateway/cli/follow-queues.ts'),
  ])
  return fleetCommand({ followQueue: followQueues })
}

/** Certificates are the fleet's; how secrets are kept is the gateway's. */
async function loadCerts(): Promise<Command> {
  const [{ certsCommand }, { hashSecretCommand }] = await Promise.all([
    import('../device-sim/cli/certs.ts'),
    import('../gateway/cli/hash-secret.ts'),
  ])
  return certsCommand()
    .addCommand(hashSecretCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ weir certs mint --devices 1000 --out certs
  $ weir certs hash-secret dev --tenant acme < dev.secret`,
    )
}

const exit = { done: 0, failed: 1, usage: 2 } as const

async function main(argv: readonly string[]): Promise<void> {
  const [name = '--help', ...rest] = argv
  const row = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!row) return overview().then((root) => void root.parse([name, ...rest], { from: 'user' }))
  const command = await row.load()
  quietExit(command).name(`weir ${name}`)
  await command.parseAsync(rest, { from: 'user' })
}

/** What `weir --help` prints and an unknown command is measured against. */
async function overview(): Promise<Command> {
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
  const root = new Command('weir').description(manifest.description).version(manifest.version)
  for (const [name, { summary }] of Object.entries(commands)) root.command(name).summary(summary).description(summary)
  root.addHelpText('after', '\nweir <command> --help shows its flags, with examples.')
  return quietExit(root)
}

/** commander would end the process by itself, and with 1 for wrong usage. */
function quietExit(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: (text) => process.stderr.write(printableText(text)) })
  for (const inner of command.commands) quietExit(inner)
  return command
}

/** How long a socket or a timer that a command left open may keep the process alive after the command has ended. */
const lingerMs = 2_000

// A reader such as `head` may have seen enough. What runs until it is stopped is stopped then, so that it loses nothing.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (!requestStop()) process.exit(process.exitCode ?? exit.done)
  })

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exit.done : exit.usage
  } else {
    const { describeFailure } = await import('./failure.ts')
    const { text, code } = describeFailure(error)
    process.stderr.write(`${printableText(text)}\n`)
    process.exitCode = code
  }
  // Its work goes on in this process, and nobody waits for it.
  if (error instanceof Interrupted) process.exit()
}
systemClock.every(lingerMs, () => process.exit())
