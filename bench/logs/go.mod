module muster.bench/logs

go 1.24

// The last release of this module that has VictoriaLogs in it; go.sum is written in .cache.
require github.com/VictoriaMetrics/VictoriaMetrics v1.121.0
