// The same, under a flood of 200,000: MILLRACE_TEST_LONG says so.
import './dashboard.test.ts';
