// The stack: what the gateway runs on a laptop, as AWS resources, from the same files. `npm run synth` writes it to cdk.out.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { App, CfnOutput, Stack, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { GatewayError, invalidConfig } from '../gateway/errors.ts'
import { type Resources, resourcesSchema } from '../gateway/local/resources.ts'
import { readRules } from '../gateway/rules/load.ts'
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import { parseAs } from '../lib/problems.ts'
import { acknowledgedIn } from './acknowledge.ts'
import { root } from './bundle.ts'
import { type Deployed, readConsumers } from './consumers.ts'
import { functionTimeoutOf } from './functions.ts'
import { Identity } from './identity.ts'
import { Ingest } from './ingest.ts'
import { Observability } from './observability.ts'
import { Processing } from './processing.ts'
import { Queues } from './queues.ts'
import { reportOf } from './report.ts'
import { validateTemplate } from './schema.ts'

export interface StackInput {
  readonly rules: readonly RuleFile[]
  readonly resources: Resources
  readonly consumers: readonly Deployed[]
  readonly policyDir: string
}

/** The files of `infra/`. */
export async function readInput(): Promise<StackInput> {
  const file = (name: string) => join(root, 'infra', name)
  return {
    rules: (await readRules(file('rules'))).map(({ file }) => file),
    resources: parseAs(resourcesSchema, JSON.parse(readFileSync(file('resources.json'), 'utf8')), 'resources.json', invalidConfig),
    consumers: readConsumers(file('consumers.json')),
    policyDir: file('policies'),
  }
}

/** Throws a GatewayError with a sentence for what cannot be deployed. */
export function createApp(input: StackInput, outdir: string): App {
  const app = new App({ outdir, analyticsReporting: false, stackTraces: false, treeMetadata: false })
  const stack = new Stack(app, 'Weir', { description: 'IoT telemetry: rules, queues, alerts and tenant-fair consumers' })
  const { rules, resources, consumers, policyDir } = input
  const functionSeconds = Object.fromEntries(consumers.map(({ config }) => [config.queue, functionTimeoutOf(config).toSeconds()]))
  const identity = new Identity(stack, { policyDir })
  const queues = new Queues(stack, { resources, functionSeconds })
  new Ingest(stack, { rules, queues })
  const { functions } = new Processing(stack, { consumers, queues })
  const { operations } = new Observability(stack, { rules, queues, functions })
  new CfnOutput(stack, 'OperationsTopic', { value: operations.topicArn, description: 'Subscribe whoever shall hear of alarms' })
  new CfnOutput(stack, 'ProvisioningTemplate', { value: identity.provisioningTemplateName })
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return app
}

const help = `Usage: npm run synth

The rules, queues, policies and handlers of infra/ as a CloudFormation stack in cdk.out, checked by cdk-nag and against
CloudFormation's schema. It takes no flags but --help, and asks for no account.

Examples:
  $ npm run synth
  $ npx weir doctor --template cdk.out/Weir.template.json   what AWS would refuse
  $ npx weir up --template cdk.out/Weir.template.json       the stack on this machine

Exit code 1: a check found something; 2: wrong usage, or what cannot be deployed.
`

/** The exit code where the stack is not wanted; undefined where it is. */
function answerTo(args: readonly string[]): number | undefined {
  const unknown = args.find((arg) => arg !== '--help' && arg !== '-h')
  if (unknown !== undefined) process.stderr.write(`synth: unknown flag ${unknown}\n\n${help}`)
  else if (args.length > 0) process.stdout.write(help)
  else return undefined
  return unknown === undefined ? 0 : 2
}

async function main(): Promise<number> {
  const app = createApp(await readInput(), 'cdk.out')
  const { template } = app.synth().getStackByName('Weir') // throws where cdk-nag finds something, which it has told by then
  const problems = validateTemplate(template)
  process.stdout.write(reportOf({ template, acknowledged: acknowledgedIn(app), problems }))
  return problems.length === 0 ? 0 : 1
}

if (import.meta.main) {
  const answered = answerTo(process.argv.slice(2))
  const run = answered === undefined ? main() : Promise.resolve(answered)
  process.exitCode = await run.catch((error: unknown) => {
    if (!(error instanceof GatewayError)) throw error
    process.stderr.write(`synth: ${error.message}\n`)
    return 2
  })
}
