// Rule files → rules. Everything wrong with a directory is told at once, each with its file and path.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonFile } from '../../lib/json-file.ts'
import { parseAs } from '../../lib/problems.ts'
import type { ActionRef, Outlet, Sink } from '../actions/action.ts'
import type { ActionEntry } from '../actions/index.ts'
import { refsOf } from '../actions/ref.ts'
import { GatewayError, textOf } from '../errors.ts'
import { type RuleFile, ruleFileSchema } from './rule-file.ts'
import { createRuleSet, type Rule, type RuleSet } from './rule-set.ts'
import { compileStatement, type Statement, type StatementOptions } from './sql/statement.ts'

export interface LoadedRule {
  readonly path: string
  readonly file: RuleFile
  readonly statement: Statement
}

type LoadOptions = Pick<StatementOptions, 'fastPaths'>

/** Makes what a rule delivers through. Templates of an action may refer to the statement of its rule. */
export interface Bind {
  action(entry: ActionEntry, rule: LoadedRule, ref: ActionRef): Outlet
  errorAction(entry: ActionEntry, rule: LoadedRule): Sink
}

/** Reads every `*.json` of a directory. Throws RULE_INVALID with all problems, one a line. */
export async function readRules(dir: string, options: LoadOptions = {}): Promise<readonly LoadedRule[]> {
  const problems: string[] = []
  const loaded: LoadedRule[] = []
  for (const name of await ruleFilesIn(dir)) {
    const path = join(dir, name)
    try {
      loaded.push(await readRule(path, options))
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      problems.push(error.message)
    }
  }
  problems.push(...duplicates(loaded))
  if (problems.length > 0) throw new GatewayError('RULE_INVALID', problems.join('\n'))
  return loaded
}

/** Gives each rule its outlets. Throws RULE_INVALID where a parameter's template does not parse. */
export function bindRules(loaded: readonly LoadedRule[], bind: Bind): RuleSet {
  const rules = loaded.filter(({ file }) => !file.ruleDisabled).map((rule) => bindRule(rule, bind))
  return createRuleSet(rules)
}

function bindRule(loaded: LoadedRule, bind: Bind): Rule {
  const { path, file, statement } = loaded
  const { errorAction } = file
  const refs = refsOf(file.name, file.actions)
  const located = <S>(at: string, make: () => S): S => {
    try {
      return make()
    } catch (error) {
      throw new GatewayError('RULE_INVALID', `${path}: ${at}: ${textOf(error)}`, { cause: error })
    }
  }
  return {
    name: file.name,
    filter: statement.filter,
    warnings: statement.warnings,
    evaluate: statement.evaluate,
    outlets: file.actions.map((entry, index) => located(`actions[${index}]`, () => bind.action(entry, loaded, refs[index]!))),
    ...(errorAction && { errorSink: located('errorAction', () => bind.errorAction(errorAction, loaded)) }),
  }
}

async function ruleFilesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.json')).sort()
  } catch (error) {
    throw new GatewayError('RULE_INVALID', `${dir}: the rules directory cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function readRule(path: string, options: LoadOptions): Promise<LoadedRule> {
  return parseRule(path, await readJsonFile(path, invalidRule), options)
}

export function invalidRule(problems: string): GatewayError {
  return new GatewayError('RULE_INVALID', problems)
}

/** Throws RULE_INVALID with every problem of this one file. */
export function parseRule(path: string, json: unknown, options: LoadOptions = {}): LoadedRule {
  const file = parseAs(ruleFileSchema, json, path, invalidRule)
  try {
    return { path, file, statement: compileStatement(file.sql, { ...options, version: file.awsIotSqlVersion }) }
  } catch (error) {
    throw new GatewayError('RULE_INVALID', `${path}: sql: ${textOf(error)}`)
  }
}

function duplicates(loaded: readonly LoadedRule[]): readonly string[] {
  const first = new Map<string, string>()
  return loaded.flatMap(({ path, file }) => {
    const other = first.get(file.name)
    if (other === undefined) first.set(file.name, path)
    return other === undefined ? [] : [`${path}: name: ${file.name} is taken by ${other}`]
  })
}
