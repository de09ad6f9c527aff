module kubectl-reload/real-node

go 1.26.0
