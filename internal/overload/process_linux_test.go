package overload

import "testing"

func TestDiskAndDescriptorsAreMeasured(t *testing.T) {
	t.Parallel()
	r := NewProcess(t.TempDir()).Read()
	if r.DiskFree < 0 || r.DiskTotal < r.DiskFree || r.MaxOpen <= 0 || r.Descriptors == 0 {
		t.Errorf("%+v", r)
	}
}
