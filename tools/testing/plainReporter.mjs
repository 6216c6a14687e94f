/**
 * A vitest reporter in plain lines: one for each file, each failure in full, and the counts as JSON in the file named by
 * GODWIT_TEST_RESULT for `./test` to add up.
 */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter by its default export.
export default class PlainReporter {
  root = process.cwd()

  /** @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    this.root = vitest.config.root
  }

  /** @param {import('vitest/node').TestModule} module */
  onTestModuleEnd(module) {
    const counts = countsOf([module])
    const seconds = (module.diagnostic().duration / 1000).toFixed(1)
    const notRun = counts.skipped === 0 ? '' : `, ${counts.skipped} not run`
    const mark = counts.failed === 0 ? 'ok  ' : 'FAIL'
    console.log(`${mark} ${relative(this.root, module.moduleId)} (${counts.passed} passed${notRun}, ${seconds} s)`)
    for (const test of module.children.allTests()) {
      if (test.result().state === 'failed') console.log(`     FAIL ${test.fullName}`)
    }
  }

  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly import('vitest/node').SerializedError[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const counts = countsOf(modules)
    for (const module of modules) {
      for (const error of module.errors()) this.explain(relative(this.root, module.moduleId), error)
      for (const test of module.children.allTests()) {
        for (const error of test.result().errors ?? [])
          this.explain(`${relative(this.root, module.moduleId)} > ${test.fullName}`, error)
      }
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) this.explain(suite.fullName, error)
      }
    }
    for (const error of unhandledErrors) this.explain('outside any test', error)
    const result = { ...counts, failed: counts.failed + unhandledErrors.length }
    const file = process.env.GODWIT_TEST_RESULT
    if (file !== undefined) writeFileSync(file, JSON.stringify(result))
    else console.log(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`)
  }

  /** @param {string} where @param {import('vitest/node').SerializedError} error */
  explain(where, error) {
    console.log(`\nFAIL ${where}`)
    console.log(`  ${String(error.message).replaceAll('\n', '\n  ')}`)
    if (typeof error.diff === 'string') console.log(`  ${error.diff.replaceAll('\n', '\n  ')}`)
    const frames = String(error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line) && !line.includes('node_modules'))
    for (const line of frames.slice(0, 6)) console.log(`  ${line.trim()}`)
  }
}

/**
 * Counts tests; a file that could not be loaded or whose hooks failed counts as one failure.
 *
 * @param {readonly import('vitest/node').TestModule[]} modules
 */
function countsOf(modules) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const module of modules) {
    const failedBefore = counts.failed
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') counts.passed++
      else if (state === 'failed') counts.failed++
      else counts.skipped++
    }
    if (module.state() === 'failed' && counts.failed === failedBefore) counts.failed++
  }
  return counts
}
